"""A learning platform that knows LTI 1.3's launch and nothing else, for test_hub.py.

Run with the hub's Python: stand_in_lms.py PORT. Whom a launch is for is told by its login hint, an
address; "forged" or "elsewhere" before it spoils the signature or the audience.
"""

import html
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

PORT = int(sys.argv[1])
ISSUER = f"http://127.0.0.1:{PORT}"
OURS, ANOTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in "ab")
LTI = "https://purl.imsglobal.org/spec/lti/claim/"


def launch(asked: dict[str, str]) -> str:
    """Sign what the platform knows of a person, as a form that posts itself."""
    spoilt, _, address = asked["login_hint"].rpartition(" ")
    claims = {
        "iss": ISSUER,
        "aud": "another tool" if spoilt == "elsewhere" else asked["client_id"],
        "sub": f"id-of-{address}",
        "email": address,
        "nonce": asked["nonce"],
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
        f"{LTI}message_type": "LtiResourceLinkRequest",
        f"{LTI}version": "1.3.0",
        f"{LTI}deployment_id": "1",
        f"{LTI}target_link_uri": asked["redirect_uri"].partition("/hub/")[0],
        f"{LTI}resource_link": {"id": "1"},
        f"{LTI}roles": ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"],
    }
    key = ANOTHER if spoilt == "forged" else OURS
    token = jwt.encode(claims, key, algorithm="RS256", headers={"kid": "1"})
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
        for name, value in (("id_token", token), ("state", asked["state"]))
    )
    action = html.escape(asked["redirect_uri"])
    form = f'<form method="post" action="{action}">{fields}</form>'
    return f"{form}<script>document.forms[0].submit()</script>"


class Platform(BaseHTTPRequestHandler):
    """Answers with its keys, or with a launch."""

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/keys":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OURS.public_key()))
            kind, text = (
                "application/json",
                json.dumps({"keys": [key | {"kid": "1", "alg": "RS256"}]}),
            )
        else:
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            kind, text = "text/html", launch(query)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


ThreadingHTTPServer(("127.0.0.1", PORT), Platform).serve_forever()
