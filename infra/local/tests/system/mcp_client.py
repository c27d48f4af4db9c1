"""The workflow so far, by the official client: `mcp_client.py URL TOKEN MODE`; prints what it read."""

import asyncio
import json
import sys

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

GUIDELINE = "# Memory\n\nSee https://arxiv.org/abs/2404.13501\n"


async def main(url: str, token: str, mode: str) -> None:
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"})
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
