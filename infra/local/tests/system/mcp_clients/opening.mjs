// A client that opens addresses for its user: as `opening.py`. `opening.mjs URL PACKAGE`.

const [url, place] = process.argv.slice(2);
const { Client, StreamableHTTPClientTransport } = await import(place);

const nova = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: 'auto' }, capabilities: { elicitation: { url: {} } } },
);
nova.setRequestHandler('elicitation/create', async ({ params }) => {
    if (params.mode !== 'url' || !params.message) throw new Error(JSON.stringify(params));
    console.error(`Open: ${params.url}`);
    return { action: 'accept' };
});
const headers = { Authorization: `Bearer ${process.env.TOKEN}` };
await nova.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
const uploaded = await nova.callTool({ name: 'upload_article_guideline', arguments: {} });
console.log(JSON.stringify(uploaded.structuredContent));
await nova.close();
