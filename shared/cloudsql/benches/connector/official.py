"""What `examples/probe.rs` does, through Google's connector for Python: connections one after the other.

    official.py ADMIN_API_ENDPOINT INSTANCE USER DATABASE KEY_FILE CONNECTIONS
"""

import asyncio
import sys

from google.cloud.sql.connector import Connector
from google.oauth2 import service_account


async def main(endpoint: str, instance: str, user: str, database: str, key_file: str, connections: str) -> None:
    async with Connector(
        loop=asyncio.get_running_loop(),
        credentials=service_account.Credentials.from_service_account_file(key_file),
        sqladmin_api_endpoint=endpoint,
        refresh_strategy="lazy",
        enable_iam_auth=True,
    ) as connector:
        for _ in range(int(connections)):
            connection = await connector.connect_async(instance, "asyncpg", user=user, db=database)
            assert await connection.fetchval("select current_user") == user
            await connection.close()


asyncio.run(main(*sys.argv[1:]))
