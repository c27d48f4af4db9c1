// The workflow by the official client: as `python.py`. Packages are looked for from here upwards, and so
// it is given by its URL: `typescript.mjs URL MODE PACKAGE`.

import { createServer } from 'node:http';
import { once } from 'node:events';

const [url, mode, place] = process.argv.slice(2);
const { Client, StreamableHTTPClientTransport, UnauthorizedError } = await import(place);

const GUIDELINE = '# Memory\n\nSee https://arxiv.org/abs/2404.13501\n';

/** Where a person comes back to after signing in, once or again: a tool that spends asks for more. */
async function visits() {
    const server = createServer((_, response) => response.end('Done'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = `http://127.0.0.1:${server.address().port}/callback`;
    const next = async () => new URL((await once(server, 'request'))[0].url, address).searchParams;
    return { address, next };
}

/** What signing in brought, for as long as this program runs. */
function signingIn(redirectUrl, expectVisit) {
    const kept = {};
    return {
        redirectUrl,
        clientMetadata: { client_name: 'The official client', redirect_uris: [redirectUrl] },
        clientMetadataUrl: process.env.CLIENT_ID,
        clientInformation: () => kept.client,
        saveClientInformation: (client) => { kept.client = client; },
        tokens: () => kept.tokens,
        saveTokens: (tokens) => { kept.tokens = tokens; },
        redirectToAuthorization: (address) => {
            expectVisit();
            console.error(`Sign in: ${address}`);
        },
        saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
        codeVerifier: () => kept.verifier,
    };
}

let transport;
let returned;
let options = { requestInit: { headers: { Authorization: `Bearer ${process.env.TOKEN}` } } };
if (!process.env.TOKEN) {
    const { address, next } = await visits();
    options = { authProvider: signingIn(address, () => { returned = next(); }) };
}

/** Does it, again after signing in where that was missing. */
const signedIn = async (act) => {
    try {
        return await act();
    } catch (error) {
        if (!(error instanceof UnauthorizedError)) throw error;
        // The transport found out where to sign in; it takes what the person comes back with.
        await transport.finishAuth(await returned);
        return act();
    }
};

const versionNegotiation = { mode: ['legacy', 'auto'].includes(mode) ? mode : { pin: mode } };
const nova = await signedIn(async () => {
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation });
    transport = new StreamableHTTPClientTransport(new URL(url), options);
    await client.connect(transport);
    return client;
});

const call = async (name, args) => {
    const result = await signedIn(() => nova.callTool({ name, arguments: args }));
    if (result.isError) throw new Error(JSON.stringify(result));
    return result.structuredContent;
};
const { tools } = await nova.listTools();
const { article_guideline_id } = await call('upload_article_guideline', { content: GUIDELINE });
const found = await call('extract_guidelines_urls', { article_guideline_id });
await call('create_research_file', { article_guideline_id });
const document = await nova.readResource({ uri: `article://${article_guideline_id}/research.md` });
const prompt = await nova.getPrompt({ name: 'full_research_instructions_prompt' });
console.log(JSON.stringify({
    tools: tools.length,
    web_sources_count: found.web_sources_count,
    document: document.contents[0].text.slice(0, 10),
    prompt: prompt.messages[0].content.text.slice(0, 8),
}));
await nova.close();
process.exit(0); // and nobody waits for visits
