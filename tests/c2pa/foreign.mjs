// node foreign.mjs KEYS FILES OUT: files signed by the reference implementation in ways that sora does not sign, for
// sora to judge. KEYS is what certificates.sh makes; FILES has bare.mp4, fragmented.mp4, bare.png and bare.jpg.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const require = createRequire(path.join(process.cwd(), 'package.json')); // the folder that npm filled
const { initSync, WasmBuilder } = await import(require.resolve('@contentauth/c2pa-wasm'));
initSync({ module: fs.readFileSync(require.resolve('@contentauth/c2pa-wasm/c2pa.wasm')) });
const [keys, files, out] = process.argv.slice(2);
const [video, fragmented, picture, photo] = ['bare.mp4', 'fragmented.mp4', 'bare.png', 'bare.jpg'].map(name => path.join(files, name));
const read = name => fs.readFileSync(path.join(keys, name));
const der = name => new crypto.X509Certificate(read(name)).raw;

// The package reads files as browsers do in workers.
class SyncBlob extends Blob {
  constructor(raw) { super([raw]); this.raw = raw; }
  slice(from = 0, to = this.raw.length) { return new SyncBlob(this.raw.subarray(from, to)); }
}
globalThis.FileReaderSync = class { readAsArrayBuffer(blob) { return new Uint8Array(blob.raw).buffer; } };

function head(type, n) {
  if (n < 24) return Buffer.from([(type << 5) | n]);
  if (n < 256) return Buffer.from([(type << 5) | 24, n]);
  const b = Buffer.alloc(n < 65536 ? 3 : 5, (type << 5) | (n < 65536 ? 25 : 26));
  if (n < 65536) b.writeUInt16BE(n, 1);
  else b.writeUInt32BE(n, 1);
  return b;
}
const bytes = b => Buffer.concat([head(2, b.length), b]);
const text = s => Buffer.concat([head(3, Buffer.byteLength(s)), Buffer.from(s)]);
const array = (...items) => Buffer.concat([head(4, items.length), ...items]);
const map = (...pairs) => Buffer.concat([head(5, pairs.length / 2), ...pairs]);

// A COSE_Sign1 of exactly `size` bytes, with an OCSP answer when one is given.
function cose(claim, name, size, answer) {
  const header = map(head(0, 1), Buffer.from([0x26]), head(0, 33), array(bytes(der(`${name}.pem`)), bytes(der('root.pem'))));
  const tbs = array(text('Signature1'), bytes(header), bytes(Buffer.alloc(0)), bytes(Buffer.from(claim)));
  const signature = crypto.sign('sha256', tbs, { key: read(`${name}.key`), dsaEncoding: 'ieee-p1363' });
  const stapled = answer ? [text('rVals'), map(text('ocspVals'), array(bytes(answer)))] : [];
  const build = n => Buffer.concat([Buffer.from([0xd2]),
    array(bytes(header), map(...stapled, text('pad'), Buffer.concat([head(2, 65535).fill(n >> 8, 1, 2).fill(n & 255, 2, 3), Buffer.alloc(n)])),
      Buffer.from([0xf6]), bytes(signature))]);
  return build(size - build(0).length);
}

const types = { '.mp4': 'video/mp4', '.png': 'image/png', '.jpg': 'image/jpeg', '.webp': 'image/webp' };
const action = { action: 'c2pa.created', digitalSourceType: 'http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia' };

async function sign(source, name, { core = {}, key = 'leaf', answer, parent, identities = [] } = {}) {
  const definition = { claim_generator_info: [{ name: 'foreign' }], title: name, format: types[path.extname(name)], assertions: [] };
  if (parent === undefined) definition.assertions.push({ label: 'c2pa.actions', data: { actions: [action] } });
  const builder = WasmBuilder.fromJson(JSON.stringify(definition), JSON.stringify({ version: 1, core, verify: { verify_after_sign: false } }));
  if (parent !== undefined)
    await builder.addIngredientFromBlob(JSON.stringify({ title: path.basename(parent), relationship: 'parentOf' }), types[path.extname(parent)], new SyncBlob(fs.readFileSync(parent)));
  if (parent !== undefined) builder.setIntent('edit');
  const signer = { alg: 'es256', reserveSize: 4096, sign: async claim => new Uint8Array(cose(claim, key, 4096, answer)) };
  const file = path.join(out, name);
  fs.writeFileSync(file, await builder.sign(signer, identities, types[path.extname(name)], new SyncBlob(fs.readFileSync(source))));
  console.log(file);
  return file;
}

// A signed statement of who stands behind the file (CAWG), over the assertions that it names.
const identity = damage => ({
  sigType: 'cawg.x509.cose', reserveSize: 3072, referencedAssertions: ['c2pa.hash.data'], roles: ['cawg.creator'],
  sign: async payload => {
    const references = payload.referencedAssertions.map(r =>
      map(text('url'), text(r.url), text('hash'), bytes(Buffer.from(r.hash))));
    const cbor = map(text('referenced_assertions'), array(...references), text('sig_type'), text(payload.sigType),
      text('role'), array(...payload.roles.map(text)));
    return new Uint8Array(cose(damage ? cbor.subarray(1) : cbor, 'leaf', 2048));
  },
});

fs.mkdirSync(out, { recursive: true });
const attempt = async (what) => { try { return await what(); } catch (e) { console.log('cannot sign:', String(e?.message ?? e).slice(0, 200)); } };
await attempt(() => sign(video, 'plain.mp4'));
await attempt(() => sign(photo, 'packed.jpg', { core: { prefer_compress_manifests: true } }));
const packed = await attempt(() => sign(picture, 'packed.png', { core: { prefer_compress_manifests: true } }));
await attempt(() => sign(video, 'packed.mp4', { core: { prefer_compress_manifests: true } }));
await attempt(() => sign(video, 'packed-parent.mp4', { parent: packed, core: { prefer_compress_manifests: true } }));
await attempt(() => sign(video, 'parent.mp4', { parent: packed }));
for (const proofs of [0, 1, 5])
  await attempt(() => sign(video, `blocks-${proofs}.mp4`, { core: { merkle_tree_chunk_size_in_kb: 1, merkle_tree_max_proofs: proofs } }));
await attempt(() => sign(video, 'whole.mp4', { core: { merkle_tree_chunk_size_in_kb: 0 } }));
await attempt(() => sign(fragmented, 'fragments.mp4'));
await attempt(() => sign(fragmented, 'fragment-blocks.mp4', { core: { merkle_tree_chunk_size_in_kb: 1 } }));
await attempt(() => sign(picture, 'good.png', { answer: read('leaf.ocsp') }));
await attempt(() => sign(picture, 'gone.png', { key: 'gone', answer: read('gone.ocsp') }));
await attempt(() => sign(picture, 'other.png', { key: 'gone', answer: read('leaf.ocsp') }));
await attempt(() => sign(picture, 'damaged.png', { answer: Buffer.from('no answer') }));
await attempt(() => sign(picture, 'identity.png', { identities: [identity(false)] }));
await attempt(() => sign(picture, 'identity-forged.png', { identities: [identity(true)] }));
