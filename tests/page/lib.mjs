// Starts sora serve and a browser for the tests of the page.
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const require = createRequire(join(process.env.PAGE_PACKAGES, 'package.json'));
const {chromium} = require('playwright-core');
export const AXE = require.resolve('axe-core');
export const SORA = process.env.PAGE_SORA, MODEL = process.env.PAGE_MODEL;
export const LONG = Number(process.env.PAGE_LIMIT ?? 600000); // ms; only a test that hangs gets here

/** A server of its own, in a folder of its own; stop() ends it. */
export async function startServer(...options) {
    const folder = mkdtempSync(join(tmpdir(), 'sora-page-'));
    const env = {...process.env, SORA_CREDENTIALS: join(folder, 'credentials'), SORA_TRACE_INDEX: join(folder, 'trace.db')};
    const child = spawn(SORA, ['serve', '-p', '0', '--data', join(folder, 'data'), '-m', MODEL, '--log', 'errors', ...(process.env.PAGE_WEB ? ['--web', process.env.PAGE_WEB] : []), ...options], {env, stdio: ['ignore', 'pipe', 'pipe']});
    let said = '', complaints = '';
    child.stderr.on('data', (text) => { complaints += text; });
    const url = await new Promise((resolve, reject) => {
        child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${complaints}`)));
        child.stdout.on('data', (text) => {
            said += text;
            const found = /https?:\/\/[\d.:]+/.exec(said);
            if (found)
                resolve(found[0]);
        });
    });
    return {url, folder, env, complaints: () => complaints, stop: () => new Promise((resolve) => {
        child.removeAllListeners('exit');
        child.on('exit', () => { rmSync(folder, {recursive: true, force: true}); resolve(); });
        child.kill('SIGTERM');
    })};
}

export async function startBrowser() {
    return chromium.launch({executablePath: process.env.PAGE_BROWSER, args: ['--no-sandbox', '--mute-audio']});
}

/** A page that fails the test when its console has an error or anything is loaded from elsewhere. */
export async function openPage(browser, url, options = {}) {
    const context = await browser.newContext({viewport: {width: 1280, height: 900}, locale: 'en-GB', reducedMotion: 'reduce', ...options});
    const page = await context.newPage(), wrong = [];
    page.setDefaultTimeout(LONG / 2);
    page.on('console', (m) => { if (m.type() === 'error' && !m.text().startsWith('Failed to load')) wrong.push(m.text()); });
    // A preview may be gone by the time it is asked for: the video is finished.
    const allowed = (r) => r.status() < 400 || options.errorsExpected || (r.status() === 404 && r.url().includes('variant=preview'));
    page.on('response', async (r) => { if (!allowed(r)) wrong.push(`${r.request().method()} ${r.url()}: ${r.status()} ${await r.text().catch(() => '')}`); });
    page.on('pageerror', (e) => wrong.push(e.message));
    page.on('request', (r) => { if (!r.url().startsWith(url) && !/^(blob|data):/.test(r.url())) wrong.push(`loaded from elsewhere: ${r.url()}`); });
    await page.goto(url);
    await page.waitForSelector('main h1');
    return {page, context, wrong};
}

/** Serious findings of axe, in words. */
export async function findings(page) {
    await page.evaluate(() => Promise.all(document.getAnimations().map((a) => a.finished.catch(() => {}))));
    if (!await page.evaluate(() => 'axe' in window))
        await page.evaluate((await import('node:fs')).readFileSync(AXE, 'utf8')); // as a program of the test, which the page's CSP does not rule
    const result = await page.evaluate(() => window.axe.run(document, {resultTypes: ['violations']}));
    return result.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
        .map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target.join(' ')} ${n.failureSummary}`).join('; ')}`);
}

/** Asks the server past the page. */
export async function ask(url, method, path, json, key) {
    const response = await fetch(url + path, {method, body: json && JSON.stringify(json), headers: {...(json && {'Content-Type': 'application/json'}), ...(key && {Authorization: `Bearer ${key}`})}});
    return response.json();
}

export async function finished(url, id, key) {
    for (;;) {
        const video = await ask(url, 'GET', `/v1/videos/${id}`, undefined, key);
        if (video.status === 'completed' || video.status === 'failed')
            return video;
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
}

/** The latest video once it is finished. */
export async function latest(url, key) {
    const list = await ask(url, 'GET', '/v1/videos?limit=1&order=desc', undefined, key);
    return finished(url, list.data[0].id, key);
}

/** Drops files on an element, as from another program. */
export async function drop(page, selector, files) {
    const transfer = await page.evaluateHandle((list) => {
        const t = new DataTransfer();
        for (const f of list)
            t.items.add(new File([Uint8Array.from(atob(f.base64), (c) => c.charCodeAt(0))], f.name, {type: f.type}));
        return t;
    }, files.map((f) => ({name: f.name, type: f.type, base64: f.bytes.toString('base64')})));
    await page.dispatchEvent(selector, 'dragover', {dataTransfer: transfer});
    await page.dispatchEvent(selector, 'drop', {dataTransfer: transfer});
}
