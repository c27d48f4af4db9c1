"""The workflow by fastmcp's client: as `python.py`."""

import asyncio
import json
import os
import sys

from fastmcp import Client
from fastmcp.client.auth import OAuth

GUIDELINE = "# Memory\n\nSee https://arxiv.org/abs/2404.13501\n"


class Told(OAuth):
    """The client's own way of signing in, but for whose browser it opens."""

    async def redirect_handler(self, authorization_url: str) -> None:
        print("Sign in:", authorization_url, file=sys.stderr, flush=True)


async def main(url: str, mode: str) -> None:
    auth = os.environ.get("TOKEN") or Told(client_metadata_url=os.environ.get("CLIENT_ID"))
    async with Client(url, auth=auth, mode=mode) as nova:

        async def call(tool: str, **arguments: object) -> dict:
            return (await nova.call_tool(tool, arguments)).structured_content

        tools = await nova.list_tools()
        article = (await call("upload_article_guideline", content=GUIDELINE))["article_guideline_id"]
        found = await call("extract_guidelines_urls", article_guideline_id=article)
        await call("create_research_file", article_guideline_id=article)
        document = await nova.read_resource(f"article://{article}/research.md")
        prompt = await nova.get_prompt("full_research_instructions_prompt")
        told = {
            "tools": len(tools),
            "web_sources_count": found["web_sources_count"],
            "document": document[0].text[:10],
            "prompt": prompt.messages[0].content.text[:8],
        }
        print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
