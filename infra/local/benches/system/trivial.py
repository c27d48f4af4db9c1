"""A server of fastmcp with one tool and a check of tokens, to measure ours beside."""

import os

from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import JWTVerifier

issuer = os.environ["OIDC_ISSUER"]
verifier = JWTVerifier(
    jwks_uri=f"{issuer}/jwks.json",
    issuer=issuer,
    audience=os.environ["SERVER_URL"],
    algorithm="ES256",
)
server = FastMCP("trivial", auth=verifier)


@server.tool
def add(a: int, b: int) -> int:
    return a + b


server.run(
    transport="http",
    host="127.0.0.1",
    port=int(os.environ["PORT"]),
    log_level="error",
    stateless_http=True,
    json_response=True,
    show_banner=False,
)
