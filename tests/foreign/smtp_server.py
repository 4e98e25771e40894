"""A mail server that is not ours (aiosmtpd), on 127.0.0.1. Prints {"port": N}, then one line of JSON for each mail it
takes. The address says what it does: grey-N@ is put off N times, unknown@ does not exist, late@ is refused after
the whole mail was read, anything else is taken. With --cert and --key only after STARTTLS, with --user only for who signs in.
Ends when its standard input does."""

import argparse
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self):
        self.tries = {}

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "unknown":
            return "550 5.1.1 no such mailbox here"
        if name.startswith("grey-"):
            self.tries[address] = self.tries.get(address, 0) + 1
            if self.tries[address] <= int(name.removeprefix("grey-")):
                return "451 4.7.1 greylisted, come back in a minute"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("late@"):
            return "554 5.6.0 we do not want this mail"
        said = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "data": envelope.content.decode("utf-8", "replace"),
        }
        print(json.dumps(said), flush=True)
        return "250 2.0.0 taken"


async def main(options):
    tls = None
    if options.cert:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.cert, options.key)

    def authenticate(server, session, envelope, mechanism, data):
        right = data.login.decode() == options.user and data.password.decode() == options.password
        return AuthResult(success=right, handled=False, auth_data=data)

    handler, loop = Handler(), asyncio.get_running_loop()

    def protocol():
        return SMTP(
            handler, enable_SMTPUTF8=True, tls_context=tls, require_starttls=tls is not None,
            auth_required=bool(options.user), authenticator=authenticate if options.user else None,
        )

    server = await loop.create_server(protocol, "127.0.0.1", options.port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--cert")
parser.add_argument("--key")
parser.add_argument("--user")
parser.add_argument("--password")
asyncio.run(main(parser.parse_args()))
