// Every feature of the page once, in Chromium, on a server with the model that is given. Set PAGE_SHOTS to a folder to keep
// screenshots in three sizes.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {join} from 'node:path';
import {ask, drop, findings, finished, latest, LONG, openPage, startBrowser, startServer} from './lib.mjs';

let server, browser, page, wrong, context;
const url = () => server.url;
const home = async () => { await page.goto(`${url()}/#/`); await page.reload(); await page.waitForSelector('.composer'); };
const clickText = (selector, text) => page.locator(selector, {hasText: text}).first().click();

before(async () => {
    server = await startServer();
    browser = await startBrowser();
    ({page, wrong, context} = await openPage(browser, url()));
});
after(async () => {
    await browser?.close();
    await server?.stop();
});

/** What comes of a click that begins a video. */
async function madeBy(click) {
    const answer = page.waitForResponse((r) => r.request().method() === 'POST' && r.url().includes('/v1/videos'));
    await click();
    const made = await (await answer).json();
    assert.equal(made.error ?? null, null, JSON.stringify(made.error));
    const video = await finished(url(), made.id);
    assert.equal(video.status, 'completed', video.error?.message);
    return video;
}
const pressMake = () => page.getByRole('button', {name: 'Make', exact: true}).click();

/** Opens the newest finished video. */
async function openFirst() {
    await home();
    await page.locator('.card.completed .card-open').first().click();
    await page.waitForSelector('dialog[open] .tool-bar');
}

test('words that the model does not know are marked, and others offered', {timeout: LONG}, async () => {
    const line = page.locator('.composer textarea');
    await line.fill('a red corgi walks past a hosre at night');
    await page.waitForSelector('.mirror mark');
    assert.deepEqual(await page.locator('.mirror mark').allTextContents(), ['corgi', 'hosre']);
    await page.getByRole('button', {name: 'Replace hosre with horse'}).click();
    await page.getByRole('button', {name: 'Replace corgi with dog'}).click();
    assert.equal(await line.inputValue(), 'a red dog walks past a horse at night');
    await line.fill('a dolp');
    await clickText('.chip', 'dolphin');
    assert.equal(await line.inputValue(), 'a dolphin');
    await page.locator('.known-words summary').first().click();
    await page.locator('.known-words .chip', {hasText: 'rocket'}).first().click();
    assert.equal(await line.inputValue(), 'a dolphin rocket');
    await line.fill('犬が銀河を走る');
    assert.deepEqual(await page.locator('.mirror mark').allTextContents(), ['銀河']);
});

test('size, seconds, seed and variations become videos', {timeout: LONG}, async () => {
    await page.locator('.composer textarea').fill('a dog runs left across the snow');
    await page.getByLabel('Size').selectOption({index: 1});
    await page.getByLabel('Seconds').fill('1');
    await page.getByLabel('Variations').selectOption('2');
    await page.getByLabel('Seed', {exact: true}).fill('41');
    await page.getByRole('button', {name: 'Make', exact: true}).click();
    await page.waitForFunction(() => document.querySelectorAll('.card.completed').length === 2);
    const list = (await ask(url(), 'GET', '/v1/videos')).data;
    assert.deepEqual(list.map((v) => Number(v.details.seed)).sort(), [41, 42]);
    assert.ok(list.every((v) => v.details.width > v.details.height && v.prompt === 'a dog runs left across the snow' && v.seconds === '1'));
    assert.match(await page.locator('.card.completed').first().textContent(), /Seed 4[12]/);
});

test('a style adds its words', {timeout: LONG}, async (t) => {
    const style = page.getByLabel('Style');
    if (await style.count() === 0)
        return t.skip('this server has no styles');
    await page.locator('.composer textarea').fill('a cat sits');
    await style.selectOption('sepia');
    await page.getByLabel('Variations').selectOption('1');
    await page.getByLabel('Seed', {exact: true}).fill('7');
    await page.getByRole('button', {name: 'Make', exact: true}).click();
    await page.waitForSelector('.card-title:has-text("in sepia")');
    assert.equal((await latest(url())).prompt, 'a cat sits, in sepia');
});

test('a drawn picture and a dropped one are the first and last frame', {timeout: LONG}, async () => {
    await home();
    await page.getByRole('button', {name: 'Draw'}).click();
    const ink = page.locator('dialog .ink');
    await ink.focus();
    await page.keyboard.press('Space');
    const box = await ink.boundingBox();
    await page.mouse.move(box.x + 30, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + 120, box.y + 90, {steps: 4});
    await page.mouse.up();
    assert.deepEqual(await findings(page), []);
    await page.getByRole('button', {name: 'Use it'}).click();
    await page.waitForSelector('.attachment');
    const still = await page.request.get(`${url()}/v1/videos/${(await latest(url())).id}/content?variant=thumbnail`);
    await drop(page, '.composer', [{name: 'end.webp', type: 'image/webp', bytes: await still.body()}]);
    assert.deepEqual(await page.locator('.attachment > span').allTextContents(), ['First frame', 'Last frame']);
    await page.locator('.composer textarea').fill('a dog runs left');
    const sent = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/v1/videos'));
    await madeBy(pressMake);
    assert.match((await sent).headers()['content-type'], /multipart/);
});

test('a mask over a picture says what moves', {timeout: LONG}, async () => {
    await page.getByRole('button', {name: 'Remove: Last frame'}).click();
    await page.getByRole('button', {name: 'Paint what moves'}).click();
    await page.locator('dialog .ink').focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await page.getByRole('button', {name: 'Use it'}).click();
    await page.waitForSelector('.attachment >> text=Mask');
    assert.equal((await madeBy(pressMake)).details.operation, 'fill');
    await page.waitForSelector('.card >> text=Fill');
});

test('progress has previews and an estimate, and cancel stops it', {timeout: LONG}, async () => {
    await home();
    await page.locator('.composer textarea').fill('a cat sits');
    await page.locator('.more summary').click();
    await page.getByLabel('Steps').fill('1000');
    await page.getByRole('button', {name: 'Make', exact: true}).click();
    await page.waitForSelector('.card.in_progress progress');
    await page.waitForFunction(() => /% · about .* left/.test(document.querySelector('.card.in_progress')?.textContent ?? ''));
    await page.waitForSelector('.card.in_progress img.emerging');
    await page.locator('.card.in_progress button', {hasText: 'Cancel'}).click();
    await page.waitForSelector('.card.failed >> text=Cancelled');
});

test('the library searches, and gives parameters back with one click', {timeout: LONG}, async () => {
    await home();
    await page.getByRole('searchbox').fill('41');
    await page.waitForFunction(() => document.querySelectorAll('.card:not([hidden])').length === 1);
    await page.locator('.card:not([hidden]) button', {hasText: 'Use again'}).click();
    assert.equal(await page.locator('.composer textarea').inputValue(), 'a dog runs left across the snow');
    assert.equal(await page.getByLabel('Seed', {exact: true}).inputValue(), '41');
    assert.equal(await page.getByLabel('Seconds').inputValue(), '1');
    await page.getByRole('searchbox').fill('');
    await page.locator('.segments button', {hasText: 'Failed'}).click();
    await page.waitForFunction(() => [...document.querySelectorAll('.card:not([hidden])')].every((c) => c.classList.contains('failed')));
    const count = await page.locator('.card.failed').count();
    await page.locator('.card.failed:not([hidden])').first().getByRole('button', {name: 'Delete'}).click();
    await page.locator('dialog .danger').click();
    await page.waitForFunction((n) => document.querySelectorAll('.card.failed').length === n, count - 1);
});

const OPERATIONS = [
    ['Remix', 'remix', async () => { await clickText('dialog .tool button', 'Subtle'); }, (v) => assert.equal(v.details.strength, 0.4)],
    ['Extend', 'extend', async () => { await page.locator('dialog').getByLabel('Seconds').fill('0.5'); }, (v) => assert.ok(v.details.length > 1.3)],
    ['Loop', 'loop', async () => { await page.locator('dialog').getByLabel('Seconds of the bridge').fill('1'); }, (v) => assert.ok(v.details.length > 1.5)],
    ['Blend', 'blend', async () => { await page.locator('dialog').getByLabel('Seconds of the bridge').fill('1'); }, (v) => assert.ok(v.details.length > 2)],
    ['Fill', 'fill', async () => {
        await page.locator('dialog .ink').focus();
        await page.keyboard.press('Space');
    }, () => {}],
    ['Re-cut', 'recut', async () => {
        await page.getByRole('slider', {name: 'Beginning of what is kept'}).focus();
        await page.keyboard.press('ArrowRight');
        await page.keyboard.press('ArrowRight');
        await page.getByRole('slider', {name: 'Seconds made after'}).focus();
        await page.keyboard.press('PageDown');
    }, (v) => assert.equal(v.details.from.toFixed(1), '0.2')],
];
for (const [name, operation, set, check] of OPERATIONS) {
    test(`${operation} makes a video of a video`, {timeout: LONG}, async () => {
        await home();
        await page.getByRole('searchbox').fill('42');
        await page.locator('.card:not([hidden]) .card-open').first().click();
        await page.locator('.tool-bar button', {hasText: name}).click();
        await page.waitForSelector('dialog form.tool');
        await set();
        assert.deepEqual(await findings(page), []);
        const video = await madeBy(() => page.locator('dialog form.tool .primary').click());
        assert.equal(video.details.operation, operation);
        check(video);
    });
}

test('storyboard cards lie on a time line', {timeout: LONG}, async () => {
    await page.goto(`${url()}/#/storyboard`);
    await page.waitForSelector('.story-card');
    await page.getByLabel('Seconds of the whole').fill('3');
    await page.getByLabel('Seconds of the whole').press('Tab');
    await page.getByRole('button', {name: 'Add a card'}).click();
    const lines = page.locator('.story-card textarea');
    await lines.nth(0).fill('a dog sits');
    await lines.nth(1).fill('a dog runs left');
    await lines.nth(2).fill('a dog jumps');
    await page.getByRole('slider', {name: 'Card 2 begins'}).focus();
    await page.keyboard.press('ArrowLeft');
    assert.deepEqual(await findings(page), []);
    const sent = page.waitForRequest((r) => r.method() === 'POST');
    const video = await madeBy(pressMake);
    const fields = (await sent).postDataJSON();
    assert.deepEqual(fields.passages.map((p) => p.prompt), ['a dog sits', 'a dog runs left', 'a dog jumps']);
    assert.deepEqual(fields.passages.map((p) => p.from), [0, 1.4, 2.3]);
    assert.equal(video.details.passages.length, 3);
    await page.waitForSelector('dialog[open] video'); // it is shown while it is made
});

test('live goes on, and hears what is typed', {timeout: LONG}, async () => {
    await page.goto(`${url()}/#/live`);
    await page.waitForSelector('.live-stage');
    await page.locator('main textarea').fill('a dolphin jumps out of the sea');
    await page.getByRole('button', {name: 'Start'}).click();
    await page.waitForSelector('.live-stage img.shown', {timeout: LONG});
    const sight = () => page.evaluate(() => {
        const picture = document.querySelector('.live-stage img'), canvas = document.createElement('canvas');
        canvas.width = canvas.height = 16;
        const context = canvas.getContext('2d');
        context.drawImage(picture, 0, 0, 16, 16);
        return [picture.naturalWidth, ...context.getImageData(0, 0, 16, 16).data].join();
    });
    const first = await sight();
    await page.waitForFunction((seen) => {
        const picture = document.querySelector('.live-stage img'), canvas = document.createElement('canvas');
        canvas.width = canvas.height = 16;
        const context = canvas.getContext('2d');
        context.drawImage(picture, 0, 0, 16, 16);
        return [picture.naturalWidth, ...context.getImageData(0, 0, 16, 16).data].join() !== seen;
    }, first, {timeout: LONG}); // it moves
    await page.locator('main textarea').fill('a penguin walks left');
    const heard = page.waitForRequest((r) => r.method() === 'POST' && /\/v1\/live\/live_/.test(r.url()));
    assert.deepEqual((await heard).postDataJSON(), {prompt: 'a penguin walks left'});
    await page.waitForFunction(() => document.querySelector('.now')?.textContent === 'a penguin walks left');
    const ended = page.waitForResponse((r) => r.request().method() === 'DELETE' && r.url().includes('/v1/live/'));
    await page.getByRole('button', {name: 'Stop'}).click();
    assert.equal((await ended).status(), 200);
    await page.waitForSelector('button:has-text("Start")');
});

test('publish, feed, like, feature, remix, report', {timeout: LONG}, async () => {
    await openFirst();
    await page.getByRole('button', {name: 'Publish', exact: true}).click();
    await page.getByLabel('Title (may be empty)').fill('My best one');
    await page.locator('dialog').last().getByRole('button', {name: 'Publish', exact: true}).click();
    await page.waitForSelector('dialog .tag >> text=Published');
    await page.goto(`${url()}/#/explore`);
    await page.waitForSelector('.feed .card >> text=My best one');
    await page.getByRole('button', {name: /^Like/}).click();
    await page.waitForSelector('.feed button[aria-pressed="true"]');
    await page.getByRole('button', {name: 'Feature', exact: true}).click();
    await page.locator('.segments button', {hasText: 'Featured'}).click();
    await page.waitForSelector('.feed .card >> text=My best one');
    assert.equal((await ask(url(), 'GET', '/v1/feed?featured=true')).data[0].details.likes, 1);
    assert.deepEqual(await findings(page), []);
    await page.locator('.feed').getByRole('button', {name: 'Report'}).click();
    await page.getByLabel('What is wrong with it?').fill('a test');
    await page.locator('dialog').getByRole('button', {name: 'Report'}).click();
    await page.waitForSelector('.notice >> text=Thank you');
    await page.locator('.feed').getByRole('button', {name: 'Remix'}).click();
    await page.waitForSelector('dialog form.tool');
    await madeBy(() => page.locator('dialog form.tool .primary').click());
});

test('credentials are checked on a video, and of any file', {timeout: LONG}, async () => {
    await openFirst();
    await page.locator('dialog .badge').click();
    await page.waitForSelector('dialog .verdict.good');
    assert.match(await page.locator('dialog .side').textContent(), /Made here/);
    assert.deepEqual(await findings(page), []);
    const bytes = Buffer.from(await (await page.request.get(`${url()}/v1/videos/${(await latest(url())).id}/content`)).body());
    const changed = Buffer.from(bytes);
    changed[bytes.lastIndexOf('mdat') + 400] ^= 1;
    await page.goto(`${url()}/#/verify`);
    await page.waitForSelector('.dropzone');
    await drop(page, '.dropzone', [{name: 'as-made.mp4', type: 'video/mp4', bytes}, {name: 'changed.mp4', type: 'video/mp4', bytes: changed}]);
    await page.waitForSelector('.verdict.bad');
    assert.deepEqual(await page.locator('.panel h2').allTextContents(), ['as-made.mp4', 'changed.mp4']);
    assert.equal(await page.locator('.verdict.good').count(), 1);
    assert.deepEqual(await findings(page), []);
});

test('the words agree with those that the engine does not know', {timeout: LONG}, async () => {
    await home();
    const prompts = ["a red unicorn's horn glows beside a hosre", 'a café with don’t-know zeppelins', '銀河鉄道が猫の上を走る', 'ein Hund läuft nach links', 'two puppies walked over the Sea-shore'];
    for (const prompt of prompts) {
        const made = await ask(url(), 'POST', '/v1/videos', {prompt, size: '64x64', seconds: 0.5, steps: 1, seed: 1});
        const video = await finished(url(), made.id);
        const notes = video.details.notes.map((n) => n.text ?? n).filter((n) => n.includes('does not know')).join(' ');
        const told = [...(/does not know (.*?);/.exec(notes)?.[1] ?? '').replace(/\(known: ".*?"\)/g, '').matchAll(/"(.*?)"/g)].map((m) => m[1]);
        const marked = await page.evaluate(async (text) => {
            const [{Vocabulary}, lists] = await Promise.all([import('/words.js'), fetch('/v1/models/nano/words').then((r) => r.json())]);
            return [...new Set(new Vocabulary(lists).unknown(text).map((u) => u.word))];
        }, prompt);
        assert.deepEqual(marked.slice(0, told.length), told, prompt);
        assert.equal(told.length > 0, marked.length > 0, prompt);
    }
});

test('all views are without serious findings, in both appearances and languages', {timeout: LONG}, async () => {
    for (const [colorScheme, locale] of [['light', 'en-GB'], ['dark', 'ja-JP']]) {
        const other = await openPage(browser, url(), {colorScheme, locale});
        for (const place of ['', 'storyboard', 'live', 'explore', 'verify', 'keys']) {
            await other.page.goto(`${url()}/#/${place}`);
            await other.page.waitForSelector(`nav a[href="#/${place}"][aria-current]`);
            await other.page.waitForTimeout(300);
            assert.deepEqual(await findings(other.page), [], `${place} ${colorScheme}`);
        }
        assert.equal(await other.page.evaluate(() => document.documentElement.lang), locale.slice(0, 2));
        assert.deepEqual(other.wrong, []);
        await other.context.close();
    }
});

test('nothing is wider than the screen: phone, and 400 % of 1280 by 1024', {timeout: LONG}, async () => {
    for (const viewport of [{width: 390, height: 844}, {width: 320, height: 256}]) {
        const other = await openPage(browser, url(), {viewport});
        for (const place of ['', 'storyboard', 'live', 'explore', 'verify', 'keys']) {
            await other.page.goto(`${url()}/#/${place}`);
            await other.page.waitForSelector(`nav a[href="#/${place}"][aria-current]`);
            await other.page.waitForTimeout(200);
            assert.ok(await other.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${place} at ${viewport.width}`);
        }
        await other.page.goto(`${url()}/#/`);
        await other.page.locator('.card.completed .card-open').first().click();
        await other.page.locator('.tool-bar button', {hasText: 'Re-cut'}).click();
        await other.page.waitForSelector('.timeline');
        assert.ok(await other.page.evaluate(() => { const d = document.querySelector('dialog'); return d.scrollWidth <= d.clientWidth; }), `dialog at ${viewport.width}`);
        await other.context.close();
    }
});

test('with keys alone: type, make, open, close', {timeout: LONG}, async () => {
    await home();
    await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
    const count = await page.locator('.card').count();
    await page.keyboard.type('a cat sits');
    await page.keyboard.press('Enter');
    await page.waitForFunction((n) => document.querySelectorAll('.card').length === n + 1, count);
    await latest(url());
    await page.waitForSelector('.card.completed:first-child');
    await page.locator('.card .card-open').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open] video');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog', {state: 'detached'});
    assert.ok(await page.evaluate(() => document.activeElement?.classList.contains('card-open')));
});

test('the first load is small, and nothing was wrong meanwhile', {timeout: LONG}, async () => {
    const fresh = await browser.newContext(), first = await fresh.newPage();
    let bytes = 0;
    const client = await fresh.newCDPSession(first);
    await client.send('Network.enable');
    client.on('Network.loadingFinished', (e) => { bytes += e.encodedDataLength; });
    await first.goto(url());
    await first.waitForSelector('.composer textarea');
    const ready = await first.evaluate(() => performance.now());
    await first.waitForLoadState('networkidle');
    const media = await first.evaluate(() => performance.getEntriesByType('resource').filter((r) => r.name.includes('/content')).reduce((sum, r) => sum + r.transferSize, 0));
    console.log(`first load: ${bytes - media} bytes, and ${media} of pictures; interactive after ${Math.round(ready)} ms`);
    assert.ok(bytes - media < 200000);
    await fresh.close();
    assert.deepEqual(wrong, []);
});

test('screenshots in three sizes', {skip: !process.env.PAGE_SHOTS, timeout: LONG}, async () => {
    for (const [name, viewport] of [['desktop', {width: 1440, height: 900}], ['tablet', {width: 820, height: 1180}], ['phone', {width: 390, height: 844}]]) {
        for (const colorScheme of ['light', 'dark']) {
            const other = await openPage(browser, url(), {viewport, colorScheme, locale: colorScheme === 'dark' ? 'ja-JP' : 'en-GB'});
            for (const place of ['create', 'storyboard', 'live', 'explore', 'verify', 'keys']) {
                await other.page.goto(`${url()}/#/${place === 'create' ? '' : place}`);
                await other.page.waitForTimeout(700);
                await other.page.screenshot({path: join(process.env.PAGE_SHOTS, `${name}-${colorScheme}-${place}.png`)});
            }
            await other.page.goto(`${url()}/#/`);
            await other.page.locator('.card.completed .card-open').first().click();
            await other.page.waitForTimeout(900);
            await other.page.screenshot({path: join(process.env.PAGE_SHOTS, `${name}-${colorScheme}-detail.png`)});
            await other.context.close();
        }
    }
});

// Last, since from the first key on the server wants one.
test('keys: made, shown once, wanted, changed, revoked; usage and reports', {timeout: LONG}, async () => {
    await page.goto(`${url()}/#/keys`);
    await page.waitForSelector('table.usage');
    const make = async (name, scope) => {
        await page.getByRole('button', {name: 'New key'}).first().click();
        await page.locator('dialog').getByLabel('Name').fill(name);
        await page.locator('dialog').getByLabel('May').selectOption(scope);
        await page.locator('dialog').getByRole('button', {name: 'New key'}).click();
        await page.waitForSelector('dialog input.code');
        const text = await page.locator('dialog input.code').inputValue();
        await page.keyboard.press('Escape');
        return text;
    };
    const key = await make('keeper', 'videos admin');
    assert.match(key, /^sora_sk_/);
    const other = await openPage(browser, url(), {errorsExpected: true});
    await other.page.getByLabel('API key').fill('sora_sk_wrong');
    await other.page.getByRole('button', {name: 'Log in'}).click();
    await other.page.waitForSelector('.notice.error');
    assert.deepEqual(await findings(other.page), []);
    await other.page.getByLabel('API key').fill(key);
    await other.page.getByRole('button', {name: 'Log in'}).click();
    await other.page.waitForSelector('.composer');
    await page.reload(); // this page goes on with the key that it made
    await page.waitForSelector('text=All keys');
    await context.close();
    ({page} = other);
    await page.goto(`${url()}/#/keys`);
    await page.waitForSelector('text=All keys');
    await make('maker', 'videos');
    await page.getByLabel('Plan of maker').selectOption('pro');
    await page.waitForFunction(() => document.querySelector('[role=status]')?.textContent === 'Changed');
    await page.locator('tr', {hasText: 'maker'}).getByRole('button', {name: 'Revoke'}).click();
    await page.locator('dialog .danger').click();
    await page.waitForSelector('tr:has-text("maker") .tag');
    const keys = (await ask(url(), 'GET', '/v1/admin/keys', undefined, key)).data;
    assert.equal(keys.find((k) => k.name === 'maker').plan, 'pro');
    assert.ok(keys.find((k) => k.name === 'maker').revoked_at > 0);
    await page.locator('li', {hasText: 'a test'}).getByRole('button', {name: 'Take down'}).click();
    await page.waitForFunction(() => document.querySelectorAll('.panel li').length === 0);
    assert.equal((await ask(url(), 'GET', '/v1/feed', undefined, key)).data.length, 0);
    assert.deepEqual(await findings(page), []);
    await page.reload();
    await page.waitForSelector('td:text-is("key.revoked")');
    // Another key's published video may be an input, what is not published may not.
    const maker = await ask(url(), 'POST', '/v1/admin/keys', {name: 'other', scopes: 'videos', plan: 'unlimited'}, key);
    const own = await ask(url(), 'POST', '/v1/videos', {prompt: 'a dog runs', size: '256x256', seconds: 1}, key);
    await finished(url(), own.id, key);
    const remix = () => ask(url(), 'POST', `/v1/videos/${own.id}/remix`, {prompt: 'a cat runs'}, maker.key);
    assert.equal((await remix()).error?.code, 'not_found');
    await ask(url(), 'POST', `/v1/videos/${own.id}/publish`, {}, key);
    assert.equal((await remix()).remixed_from_video_id, own.id);
});
