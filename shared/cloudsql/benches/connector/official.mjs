// What `examples/probe.rs` does, through Google's connector for Node: connections one after the other.
//
//     official.mjs NODE_MODULES ADMIN_API_ENDPOINT INSTANCE USER DATABASE CONNECTIONS
//
// It has no lazy strategy, and no regard for the `token_uri` of a key file: tokens come from the metadata
// server at GCE_METADATA_HOST.

import assert from 'node:assert';
import {createRequire} from 'node:module';

const [modules, endpoint, instanceConnectionName, user, database, connections] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const {Connector} = require('@google-cloud/cloud-sql-connector');
const {Client} = require('pg');

const connector = new Connector({sqlAdminAPIEndpoint: `${endpoint}/`});
for (let count = 0; count < Number(connections); count += 1) {
  const options = await connector.getOptions({instanceConnectionName, ipType: 'PUBLIC', authType: 'IAM'});
  const client = new Client({...options, user, database});
  await client.connect();
  const {rows} = await client.query('select current_user::text as user');
  assert.equal(rows[0].user, user);
  await client.end();
}
connector.close();
