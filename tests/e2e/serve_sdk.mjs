// A whole scenario with OpenAI's own library, unchanged: serve_sdk.mjs FOLDER-OF-THE-LIBRARY URL VIDEO.mp4
import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { readFileSync, createReadStream } from 'node:fs';
import assert from 'node:assert/strict';

const [folder, url, picture] = process.argv.slice(2);
const require = createRequire(folder + '/');
const { default: OpenAI, toFile } = require('openai');
const client = new OpenAI({ baseURL: url + '/v1', apiKey: 'none', webhookSecret: undefined });
const small = { seconds: '1', size: '64x48' };
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function finished(video) {
  while (video.status === 'queued' || video.status === 'in_progress') {
    await sleep(50);
    video = await client.videos.retrieve(video.id);
  }
  assert.equal(video.status, 'completed', JSON.stringify(video.error));
  return video;
}

async function bytes(id, query) {
  const answer = await client.videos.downloadContent(id, query);
  return Buffer.from(await answer.arrayBuffer());
}

// create, poll, download
let video = await client.videos.create({ prompt: 'a fox runs', model: 'sora-2', ...small });
assert.equal(video.object, 'video');
assert.equal(video.seconds, '1');
video = await finished(video);
assert.equal(video.progress, 100);
assert.ok(video.completed_at >= video.created_at && video.expires_at > video.completed_at);
assert.equal((await bytes(video.id)).subarray(4, 8).toString(), 'ftyp');
assert.equal((await bytes(video.id, { variant: 'thumbnail' })).subarray(8, 12).toString(), 'WEBP');
assert.equal((await bytes(video.id, { variant: 'spritesheet' })).readUInt16BE(0), 0xffd8);

// a picture to begin with: a file, a stream, a data URL
const webp = readFileSync(picture);
for (const input_reference of [await toFile(webp, 'ref.webp', { type: 'image/webp' }), createReadStream(picture),
  { image_url: 'data:image/webp;base64,' + webp.toString('base64') }])
  await finished(await client.videos.create({ prompt: 'it goes on', input_reference, ...small }));

// remix, edit, extend
const remix = await finished(await client.videos.remix(video.id, { prompt: 'a bear runs' }));
assert.equal(remix.remixed_from_video_id, video.id);
const edit = await finished(await client.videos.edit({ prompt: 'a blue bear', video: { id: video.id } }));
assert.notEqual(edit.id, video.id);
const longer = await finished(await client.videos.extend({ prompt: 'it goes on', seconds: '4', video: { id: video.id } }));
assert.ok(Number(longer.seconds) >= 4.5, longer.seconds);
await finished(await client.videos.edit({ prompt: 'a blue bear', video: await toFile(await bytes(video.id), 'v.mp4', { type: 'video/mp4' }) }));

// characters
const character = await client.videos.createCharacter({ name: 'Fox', video: await toFile(await bytes(video.id), 'v.mp4', { type: 'video/mp4' }) });
assert.equal((await client.videos.getCharacter(character.id)).name, 'Fox');

// pages
const ids = [];
for await (const one of client.videos.list({ limit: 3, order: 'asc' }))
  ids.push(one.id);
assert.ok(ids.length >= 8 && new Set(ids).size === ids.length);
assert.equal(ids[0], video.id);

// errors
await assert.rejects(client.videos.create({ prompt: 'a', size: 'big' }), (e) => e instanceof OpenAI.BadRequestError && e.param === 'size' &&
  e.code === 'invalid_value' && e.type === 'invalid_request_error' && e.requestID.startsWith('req_'));
await assert.rejects(client.videos.retrieve('video_none'), OpenAI.NotFoundError);
await assert.rejects(client.videos.create({ prompt: 'a naked woman' }), (e) => e.status === 400 && e.code === 'moderation_blocked');
await assert.rejects(client.videos.create({ prompt: 'a', model: 'gpt-5' }), (e) => e.code === 'model_not_found');

// pictures, models
const image = await client.images.generate({ prompt: 'a house', size: '64x48', model: 'sora-2' });
assert.equal(Buffer.from(image.data[0].b64_json, 'base64').subarray(1, 4).toString(), 'PNG');
const models = [];
for await (const model of client.models.list())
  models.push(model.id);
assert.ok(models.includes('sora-2') && models.includes('sora-2-pro'));

// webhooks: the first delivery is refused and comes again; the library checks the signature
const events = [];
let refused = 0;
const receiver = createServer(async (request, answer) => {
  let body = '';
  for await (const part of request) body += part;
  if (refused++ === 0) return answer.writeHead(500).end();
  events.push({ body, headers: request.headers });
  answer.writeHead(200).end();
}).listen(0, '127.0.0.1');
await new Promise((done) => receiver.on('listening', done));
const hook = await client.post('/webhook_endpoints', { body: { name: 'test', url: `http://127.0.0.1:${receiver.address().port}/hook`,
  event_types: ['video.completed'] } });
assert.ok(hook.signing_secret.startsWith('whsec_'));
const told = await finished(await client.videos.create({ prompt: 'tell me', ...small }));
while (events.length === 0) await sleep(50);
const event = await client.webhooks.unwrap(events[0].body, events[0].headers, hook.signing_secret);
assert.equal(event.type, 'video.completed');
assert.equal(event.data.id, told.id);
await assert.rejects(client.webhooks.unwrap(events[0].body + ' ', events[0].headers, hook.signing_secret));
await client.delete(`/webhook_endpoints/${hook.id}`);
receiver.close();

// delete
const gone = await client.videos.delete(video.id);
assert.deepEqual(gone, { id: video.id, object: 'video.deleted', deleted: true });
await assert.rejects(client.videos.retrieve(video.id), OpenAI.NotFoundError);
console.log('done:', folder);
