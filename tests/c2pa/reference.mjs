// node reference.mjs SORA ANCHORS.pem FILE...: validates each file with the reference implementation and with
// `sora verify --json`, and prints where state, status codes or their places differ. With --tamper each file is also
// changed in many ways, region by region; --dense=N adds changes of N bits and of 2 N in types; with --every=N only each
// Nth change is tried, another one in the next file. Offline. Exit code 1: something differs, or a whole file is not trusted.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { spawnSync } from 'node:child_process';

const require = createRequire(path.join(process.cwd(), 'package.json')); // the folder that npm filled
const { initSync, WasmReader } = await import(require.resolve('@contentauth/c2pa-wasm'));
initSync({ module: fs.readFileSync(require.resolve('@contentauth/c2pa-wasm/c2pa.wasm')) });

const types = { '.mp4': 'video/mp4', '.png': 'image/png', '.jpg': 'image/jpeg', '.webp': 'image/webp', '.jpeg': 'image/jpeg', '.mov': 'video/quicktime', '.m4a': 'audio/mp4' };
const [sora, anchors, ...files] = process.argv.slice(2).filter(a => !a.startsWith('--'));
const tamper = process.argv.includes('--tamper'), any = process.argv.includes('--any');
const number = (name, none) => Number(process.argv.find(a => a.startsWith(`--${name}=`))?.slice(name.length + 3) ?? none);
const dense = number('dense', 0), every = number('every', 1);
const settings = JSON.stringify({
  version: 1,
  verify: { remote_manifest_fetch: false, ocsp_fetch: false, verify_trust: true },
  trust: { trust_anchors: fs.readFileSync(anchors, 'utf8') },
});

function flatten(results) {
  const codes = [];
  const add = (list, where) => {
    for (const kind of ['success', 'informational', 'failure'])
      for (const s of list?.[kind] ?? []) codes.push(`${where}${kind} ${s.code} ${s.url ?? ''}`.trim());
  };
  add(results?.activeManifest, '');
  for (const d of results?.ingredientDeltas ?? []) add(d.validationDeltas, 'ingredient ');
  return codes.sort();
}

async function judge(bytes, type) {
  try {
    const reader = await WasmReader.fromBytes(type, new Uint8Array(bytes), settings);
    const report = JSON.parse(reader.json());
    return { state: report.validation_state, codes: flatten(report.validation_results) };
  } catch (e) {
    const why = String(e?.message ?? e);
    return { state: /JumbfNotFound/.test(why) ? 'None' : 'Unreadable', codes: [why] };
  }
}

function judgeWithSora(file) {
  const p = spawnSync(sora, ['verify', '--json', '--trust', anchors, file], { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (p.signal !== null) return { state: `killed by ${p.signal}`, codes: [], exit: -1 };
  if (p.status > 2 || p.stdout === '') return { state: 'None', codes: [p.stderr.trim()], exit: p.status };
  const report = JSON.parse(p.stdout);
  return { state: report.credentials ? report.validation_state : 'None', codes: flatten(report.validation_results), exit: p.status };
}

// Where sora says that something is wrong and the reference does not look. It hashes boxes as it would write them:
// so it does not see bits of a description that have no meaning yet, nor the names of an ingredient's boxes. And it
// takes a hash of MP4 without a hash, and does not ask whether a list of hashed boxes names all that there are. Its
// Brotli takes padding that is not zero (RFC 7932, section 9.2); then sora sees no manifest at all.
let stricter = 0, toggles = false, packed = false;
function isStricter(theirs, ours, verdict) {
  if (packed && verdict.state === 'Invalid' && ours.length === 1 && /^failure general.error\s*$/.test(ours[0])) {
    stricter++;
    return true;
  }
  theirs = theirs.filter(c => !/bmffHash.additionalExclusionsPresent/.test(c)); // said of a hash, which sora then does not see
  if (verdict.state !== 'Invalid' || theirs.length > 1 || ours.length !== 1) return false;
  const pair = `${theirs[0] ?? ''}`.replace(/ self#.*/, '') + ' | ' + ours[0].replace(/ self#.*/, '');
  const known = pair === 'success assertion.bmffHash.match | failure assertion.bmffHash.malformed' ||
    pair === 'ingredient success ingredient.manifest.validated | ingredient failure ingredient.manifest.mismatch' ||
    pair === 'success assertion.boxesHash.match | failure assertion.boxesHash.mismatch' ||
    (toggles && /success assertion.hashedURI.match \| .*failure assertion.hashedURI.mismatch/.test(pair));
  if (known) stricter++;
  return known;
}

// The reference gives no codes for what it cannot read; then the verdict alone is compared: never valid.
function compare(name, theirs, ours, lenient) {
  if (lenient) // a damaged certificate: OpenSSL and the reference's parser stumble at different bytes
    for (const j of [theirs, ours]) j.codes = j.codes.filter(c => !/signingCredential\.|cawg\.x509\./.test(c));
  const exit = { Trusted: 0, Valid: 0, Invalid: 1, None: 2 }[ours.state];
  let same = exit === ours.exit;
  if (theirs.state === 'Unreadable') same &&= ours.state === 'Invalid' || ours.state === 'None';
  else same &&= theirs.state === ours.state && (theirs.state === 'None' || theirs.codes.join('\n') === ours.codes.join('\n'));
  const only = (a, b) => a.filter(c => !b.includes(c));
  if (same || isStricter(only(theirs.codes, ours.codes), only(ours.codes, theirs.codes), ours)) return true;
  console.log(`DIFFERENT ${name}: reference ${theirs.state}, sora ${ours.state} (exit ${ours.exit})`);
  for (const c of only(theirs.codes, ours.codes)) console.log(`  reference only: ${c}`);
  for (const c of only(ours.codes, theirs.codes)) console.log(`  sora only:      ${c}`);
  return false;
}

// Somewhere in the certificates of a COSE_Sign1, which fill its protected header, or in an answer about them? Of a
// compressed manifest one cannot tell.
function inCertificate(d, place) {
  const packed = d.indexOf('brob');
  if (packed > 0 && place > packed && place < packed - 4 + d.readUInt32BE(packed - 4)) return true;
  const answer = d.indexOf('ocspVals') + 8;
  if (answer > 8 && place > answer && place < d.indexOf('pad', answer)) return true;
  const begin = Buffer.from([0xd2, 0x84, 0x59]);
  for (let at = d.indexOf(begin); at >= 0; at = d.indexOf(begin, at + 1))
    if (place >= at + 10 && place < at + 5 + d.readUInt16BE(at + 3)) return true;
  return false;
}

// Regions of the file, by what is found there; each is changed in its first and last byte.
function* changes(d) {
  const at = text => d.indexOf(text), last = text => d.lastIndexOf(text);
  const regions = {
    'store label': [at('c2pa\0'), 4],
    'manifest label': [at('urn:c2pa:'), 45],
    'assertion store label': [at('c2pa.assertions\0'), 15],
    'actions label': [at('c2pa.actions.v2\0'), 15],
    'actions': [at('trainedAlgorithmicMedia'), 23],
    'source': [at('http://cv.iptc.org'), 18],
    'agent': [at('sora.c'), 6],
    'hash label': [at('c2pa.hash'), 9],
    'hash name': [at('jumbf manifest'), 14],
    'claim label': [at('c2pa.claim.v2\0'), 13],
    'instance': [at('xmp:iid:'), 44],
    'reference': [last('self#jumbf=c2pa.assertions/'), 27],
    'signature label': [last('c2pa.signature\0'), 14],
    'certificate name': [last('private credentials'), 19],
    'signature': [last('c2pa.signature\0') + 15 + 8 + 620, 40],
    'media': [at('WEBP') === 8 ? 40 : d.length - 300, 200],
  };
  for (const [name, [begin, size]] of Object.entries(regions)) {
    if (begin < 0 || begin + size > d.length) continue;
    for (const offset of [0, size - 1]) {
      const b = Buffer.from(d);
      b[begin + offset] ^= 1;
      yield [`${name} +${offset}`, b, inCertificate(d, begin + offset)];
    }
  }
  for (let i = 1; i < 12; i++) {
    const b = Buffer.from(d), p = Math.floor((d.length * i) / 12);
    b[p] ^= 1; // not the type of CBOR: the reference takes byte strings for texts, which C2PA does not
    yield [`byte ${p}`, b, inCertificate(d, p)];
  }
  // Other names for the manifest, of the same length; "%" is filled.
  const label = d.toString('latin1', at('urn:c2pa:'), at('urn:c2pa:') + 45);
  for (const name of ['urn:c2pa:%:fox', 'urn:c2pa:%:fox:2_1', 'urn:c2pa:%:fox:2_x', 'urn:c2pa:%::2', 'urn:c2pa:%:f ox', 'urn:c2pa:%:1:2:3',
    'urn:c2pa:%:' + 'x'.repeat(33), 'urn:uuid:%', 'fox:urn:uuid:%', 'fox:urn:uuid:%:x', 'urn:c2px:%', 'fox:%', 'urn:c2pa:%/x',
    'urn:c2pa:%=x', 'urn:c2pa:=%', 'urn:c2pa:%:a=b', '%=']) {
    const other = name.replace('%', '0'.repeat(46 - name.length));
    yield [`named ${name}`, Buffer.from(d.toString('latin1').replaceAll(label, other), 'latin1')];
  }
  for (const cut of [1, 100, d.length >> 1]) yield [`cut by ${cut}`, d.subarray(0, d.length - cut)];
  yield ['appended 1', Buffer.concat([d, Buffer.from('x')])];
  yield ['appended 64', Buffer.concat([d, Buffer.alloc(64)])];
  yield ['appended box', Buffer.concat([d, Buffer.from([0, 0, 0, 16]), Buffer.from('free'), Buffer.alloc(8)])];
}

// Where a CBOR item and all that is in it begin; text tells which of them are keys and other texts.
function* heads(d, at) {
  const begin = at, type = d[at] >> 5, low = d[at] & 31;
  const wide = low < 24 ? 0 : 1 << (low - 24);
  let n = low < 24 ? low : 0;
  for (let i = 0; i < wide; i++) n = n * 256 + d[at + 1 + i];
  if (low > 27 || n > d.length) return d.length; // others write lists of unknown length
  yield begin;
  at += 1 + wide;
  if (type === 2 || type === 3) return at + n;
  const items = type === 4 ? n : type === 5 ? 2 * n : type === 6 ? 1 : 0;
  for (let i = 0; i < items && at < d.length; i++) at = yield* heads(d, at);
  return at;
}

// Bits of the manifest store, all over it: `count`, and of the three of the type of every CBOR item twice as many.
function* flips(d, count) {
  const begin = d.indexOf('jumb') - 4, end = begin + d.readUInt32BE(begin);
  const places = [];
  for (let at = d.indexOf('cbor', begin); at >= 0 && at < end; at = d.indexOf('cbor', at + 1)) {
    if (d.readUInt32BE(at - 4) < 8 || at - 4 + d.readUInt32BE(at - 4) > end || d.toString('latin1', at - 8, at - 4) === 'jumd') continue;
    for (const place of heads(d, at + 4)) for (const bit of [0x20, 0x40, 0x80]) places.push([place, bit]);
  }
  const every = Math.max(1, Math.ceil(places.length / (2 * count)));
  places.splice(0, places.length, ...places.filter((_, i) => i % every === 0));
  for (let i = 0; i < count; i++) places.push([begin + Math.floor(((end - begin) * i) / count), 1 << (i % 8)]);
  for (const [place, bit] of places) {
    const b = Buffer.from(d);
    b[place] ^= bit;
    toggles = bit >= 0x20 && d.toString('latin1', place - 20, place - 16) === 'jumd';
    yield [`bit ${bit} of store byte ${place - begin}`, b, inCertificate(d, place)];
  }
}

function* variants(d) {
  if (tamper) yield* changes(d);
  if (dense) yield* flips(d, dense);
  toggles = false;
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sora-c2pa-'));
let wrong = 0, count = 0;
for (const [place, file] of files.entries()) {
  const bytes = fs.readFileSync(file), extension = path.extname(file).toLowerCase(), type = types[extension];
  packed = bytes.indexOf('brob') > 0;
  const theirs = await judge(bytes, type);
  count++;
  if (!compare(file, theirs, judgeWithSora(file))) wrong++;
  if (theirs.state !== 'Trusted' && !any) {
    wrong++;
    console.log(`NOT TRUSTED ${file}: ${theirs.state}\n  ${theirs.codes.join('\n  ')}`);
  }
  const changed = path.join(folder, `changed${extension}`);
  let change = place;
  for (const [name, data, certificate] of variants(bytes)) {
    if (change++ % every !== 0) continue;
    fs.writeFileSync(changed, data);
    count++;
    if (!compare(`${file}, ${name}`, await judge(data, type), judgeWithSora(changed), certificate)) wrong++;
  }
}
fs.rmSync(folder, { recursive: true });
console.log(`${count} files, ${wrong} wrong${stricter ? `; at ${stricter} sora is stricter` : ''}`);
process.exit(wrong === 0 && count > 0 ? 0 : 1);
