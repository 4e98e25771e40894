"""Follows topics with paho, and prints what happens, a line each: a client that is not ours.

    follow.py HOST PORT 3.1.1|5 CA|- USER PASSWORD CLIENT_ID FILTER... [--say TOPIC TEXT]

Prints `ready CODES` once subscribed, `got TOPIC PAYLOAD` for each message, `gone CODE` at the end. Ends with its
standard input. With --say it publishes one message of QoS 1 when it is ready, and prints `said` once that is
acknowledged.
"""

import sys

import paho.mqtt.client as mqtt

host, port, version, ca, user, password, client_id, *rest = sys.argv[1:]
say = None
if "--say" in rest:
    at = rest.index("--say")
    say, rest = rest[at + 1 : at + 3], rest[:at]
five = version == "5"


def tell(*words):
    print(*words, flush=True)


def connected(client, _data, _flags, code, *_):
    tell("connected", int(code.value if hasattr(code, "value") else code))
    if rest:
        client.subscribe([(topic, 1) for topic in rest] if not five else [(topic, options()) for topic in rest])


def options():
    from paho.mqtt.subscribeoptions import SubscribeOptions

    return SubscribeOptions(qos=1)


def subscribed(client, _data, _mid, codes, *_):
    tell("ready", *[code.value if hasattr(code, "value") else code for code in codes])
    if say:
        client.publish(say[0], say[1], qos=1)


def gone(_client, _data, code, *_):
    tell("gone", code.value if hasattr(code, "value") else code)
    # The loop would connect again for ever.
    _client.disconnect()


client = mqtt.Client(client_id=client_id, protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311)
client.username_pw_set(user, password)
if ca != "-":
    client.tls_set(ca_certs=ca)
client.on_connect = connected
client.on_subscribe = subscribed
client.on_publish = lambda *_: tell("said")
client.on_message = lambda _client, _data, message: tell("got", message.topic, message.payload.decode())
client.on_disconnect = gone
client.connect(host, int(port), keepalive=10)
client.loop_start()
sys.stdin.read()
client.disconnect()
client.loop_stop()
