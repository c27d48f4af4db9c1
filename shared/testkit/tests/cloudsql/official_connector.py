"""Asks a database who one is, through Google's own connector with automatic IAM.

    official_connector.py ADMIN_API_ENDPOINT INSTANCE USER DATABASE [KEY_FILE]

Without a key file, the metadata server at GCE_METADATA_HOST gives the credentials, as on Google's machines.
Nothing of the connector is replaced: the endpoint, the credentials and the strategy are options of its own. It
has no deadline over all of its steps, hence the one here.
"""

import asyncio
import sys

from google.auth import compute_engine
from google.cloud.sql.connector import Connector
from google.oauth2 import service_account


async def main(endpoint: str, instance: str, user: str, database: str, key_file: str | None = None) -> None:
    if key_file:
        credentials = service_account.Credentials.from_service_account_file(key_file)
    else:
        credentials = compute_engine.Credentials()
    async with Connector(
        loop=asyncio.get_running_loop(),
        credentials=credentials,
        sqladmin_api_endpoint=endpoint,
        refresh_strategy="lazy",
        enable_iam_auth=True,
    ) as connector:
        connection = await connector.connect_async(instance, "asyncpg", user=user, db=database)
        print(await connection.fetchval("SELECT current_user"))
        await connection.close()


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), timeout=60))
