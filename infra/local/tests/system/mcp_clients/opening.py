"""A client that opens addresses for its user: `opening.py URL CLIENT`, the official one or fastmcp's.

Asked to open one it prints it on standard error; what came of the upload is printed in the end."""

import asyncio
import json
import os
import sys

import fastmcp
import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestURLParams, ElicitResult

TOKEN = os.environ["TOKEN"]


async def opens(asked: ElicitRequestURLParams) -> ElicitResult:
    assert asked.mode == "url" and asked.message, asked
    print("Open:", asked.url, file=sys.stderr, flush=True)
    return ElicitResult(action="accept")


def official(url: str) -> Client:
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
    return Client(
        streamable_http_client(url, http_client=http),
        elicitation_callback=lambda _context, asked: opens(asked),
    )


def fast(url: str) -> fastmcp.Client:
    return fastmcp.Client(
        url,
        auth=TOKEN,
        elicitation_handler=lambda _message, _type, asked, _context: opens(asked),
    )


async def main(url: str, client: str) -> None:
    async with {"official": official, "fastmcp": fast}[client](url) as nova:
        uploaded = await nova.call_tool("upload_article_guideline", {})
        print(json.dumps(uploaded.structured_content))


asyncio.run(main(*sys.argv[1:]))
