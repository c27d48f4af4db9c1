"""Where a person comes back to after signing in."""

import asyncio
import sys
from urllib.parse import parse_qsl, urlsplit


class Visit:
    """At a free port of this machine, once or again: a tool that spends asks for more than one that looks."""

    @classmethod
    async def expected(cls) -> "Visit":
        self = cls()
        self.came = asyncio.Queue()
        self.server = await asyncio.start_server(self.receive, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}/callback"
        return self

    async def invite(self, address: str) -> None:
        print("Sign in:", address, file=sys.stderr, flush=True)

    async def answer(self) -> dict[str, str]:
        return await self.came.get()

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if not line:  # somebody looked whether the door is open
            writer.close()
            return
        target = line.split()[1].decode()
        while (await reader.readline()).strip():
            pass
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nDone")
        await writer.drain()
        writer.close()
        self.came.put_nowait(dict(parse_qsl(urlsplit(target).query)))
