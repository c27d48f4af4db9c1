"""The workflow by the official client: `python.py URL MODE`; prints what it read.

With a token in TOKEN; otherwise by signing in, with the address to open on standard error."""

import asyncio
import json
import os
import sys

import httpx2
from mcp.client import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

from visit import Visit

GUIDELINE = "# Memory\n\nSee https://arxiv.org/abs/2404.13501\n"


class Kept:
    """What signing in brought, for as long as this program runs."""

    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def signing_in(url: str) -> OAuthClientProvider:
    visit = await Visit.expected()

    async def returned() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**await visit.answer())

    return OAuthClientProvider(
        url,
        OAuthClientMetadata(redirect_uris=[visit.address], client_name="The official client"),
        Kept(),
        redirect_handler=visit.invite,
        callback_handler=returned,
        client_metadata_url=os.environ.get("CLIENT_ID"),
    )


async def main(url: str, mode: str) -> None:
    token = os.environ.get("TOKEN")
    http = httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {token}"} if token else {},
        auth=None if token else await signing_in(url),
        timeout=60,  # for machines that are busy
    )
    async with Client(streamable_http_client(url, http_client=http), mode=mode) as nova:

        async def call(tool: str, **arguments: object) -> dict:
            result = await nova.call_tool(tool, arguments)
            assert not result.is_error, result
            return result.structured_content

        tools = await nova.list_tools()
        article = (await call("upload_article_guideline", content=GUIDELINE))["article_guideline_id"]
        found = await call("extract_guidelines_urls", article_guideline_id=article)
        await call("create_research_file", article_guideline_id=article)
        document = await nova.read_resource(f"article://{article}/research.md")
        prompt = await nova.get_prompt("full_research_instructions_prompt")
        told = {
            "tools": len(tools.tools),
            "web_sources_count": found["web_sources_count"],
            "document": document.contents[0].text[:10],
            "prompt": prompt.messages[0].content.text[:8],
        }
        print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
