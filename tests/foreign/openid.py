"""Runs Canaille, an OpenID provider that nobody here wrote, with one person and one client, all in memory.

Usage: openid.py PORT CLIENT_ID CLIENT_SECRET REDIRECT_URI LOGIN E-MAIL PASSWORD
Says "ready" on standard output when it serves; ends when standard input does.
"""

import datetime
import os
import sys
import threading

port, client_id, client_secret, redirect_uri, login, email, password = sys.argv[1:8]

# Its cookies travel over plain HTTP here, on this machine only; Authlib wants that said.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "true"

import canaille  # noqa: E402
from canaille.app import models  # noqa: E402
from canaille.backends import Backend  # noqa: E402
from joserfc.jwk import RSAKey  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

key = RSAKey.generate_key(2048, parameters={"kid": "rsa-1", "use": "sig", "alg": "RS256"})
app = canaille.create_app(
    config={
        "SECRET_KEY": os.urandom(32).hex(),
        "SERVER_NAME": f"127.0.0.1:{port}",
        "PREFERRED_URL_SCHEME": "http",
        "SESSION_COOKIE_SECURE": False,
        "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False, "HTMX": False, "SMTP": None},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)]},
    },
    env_file="/dev/null",
)
with app.app_context(), Backend.instance.session():
    person = models.User(
        user_name=login, formatted_name="Alice Baker", family_name="Baker", emails=[email], password=password
    )
    Backend.instance.save(person)
    client = models.Client(
        client_id=client_id,
        client_secret=client_secret,
        client_id_issued_at=datetime.datetime.now(datetime.timezone.utc),
        client_name="Tillway",
        client_uri="http://127.0.0.1/",
        redirect_uris=[redirect_uri],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "email", "profile"],
        token_endpoint_auth_method="client_secret_basic",
    )
    Backend.instance.save(client)
    # As its own registration does: tokens are for the client itself.
    client.audience = [client]
    Backend.instance.save(client)

server = make_server("127.0.0.1", int(port), app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
os._exit(0)
