// Everything that was made, as cards: what is in progress shows its frames as they emerge.
import {api, contentUrl} from './api.js';
import {credentialsBadge} from './credentials.js';
import {announce, attempt, button, confirmed, fill, h, icon} from './dom.js';
import {duration, t} from './i18n.js';
import {isOpen, onVideo, secondsLeft, tell, watch} from './jobs.js';

/** @typedef {import('./api.js').Video} Video */
/** @typedef {{reuse: (video: Video) => void, open: (video: Video) => void}} Actions */

/** What a card is headed by. @param {Video} video */
export function titleOf(video) {
    const passages = video.details.passages ?? [];
    return video.details.title || video.prompt || passages.map((p) => p.prompt).join(' → ') || t('no_words');
}

/** "256×256 · 1.5 s · seed 7" @param {Video} video */
export function factsOf(video) {
    const d = video.details, seconds = Number((d.length ?? Number(video.seconds)).toFixed(1));
    const size = d.width && d.height ? `${d.width}×${d.height}` : video.size.replace('x', '×');
    const parts = [d.operation && d.operation !== 'generate' ? operationName(d.operation) : '', size, seconds > 0 ? `${seconds} s` : ''];
    if (d.seed !== undefined)
        parts.push(`${t('seed')} ${d.seed}`);
    return parts.filter((p) => p !== '').join(' · ');
}

/** @param {string} operation */
export function operationName(operation) {
    const names = /** @type {Record<string, import('./i18n.js').TextName>} */ ({extend: 'extend', loop: 'loop', blend: 'blend', remix: 'remix',
        fill: 'fill', interpolate: 'interpolate', recut: 'recut'});
    return names[operation] ? t(names[operation]) : operation;
}

/** How far it is, in words. @param {Video} video */
export function progressText(video) {
    if (video.status === 'queued') {
        const ahead = video.details.queue_position;
        return ahead ? t('queued_behind', {n: ahead}) : t('queued');
    }
    const left = secondsLeft(video);
    return left === null ? t('percent', {n: video.progress}) : t('percent_left', {n: video.progress, left: duration(left)});
}

/** The picture of a card: still, and moving under the pointer or with the focus. @param {Video} video */
export function moving(video) {
    const still = h('img', {src: contentUrl(video.id, 'thumbnail'), alt: '', loading: 'lazy', decoding: 'async'});
    const box = h('div', {className: 'still'}, still);
    /** @type {HTMLVideoElement | null} */
    let player = null;
    const start = () => {
        if (player || matchMedia('(prefers-reduced-motion: reduce)').matches)
            return;
        player = h('video', {src: contentUrl(video.id), muted: true, loop: true, playsInline: true, 'aria-hidden': 'true', tabIndex: -1});
        box.append(player);
        player.play().catch(() => {});
    };
    const stop = () => {
        player?.remove();
        player = null;
    };
    return {box, start, stop};
}

/** What is emerging. Its file goes when the video is finished, which may be before it is asked for. @param {Video} video */
export function emerging(video) {
    if (!video.details.preview)
        return h('div', {className: 'haze'});
    const picture = h('img', {className: 'emerging', src: `${contentUrl(video.id, 'preview')}&at=${video.progress}`, alt: '',
        onerror: () => picture.replaceWith(h('div', {className: 'haze'}))});
    return picture;
}

/** @param {Video} video */
function pictureOf(video) {
    if (video.status === 'completed')
        return moving(video);
    const box = h('div', {className: 'still'});
    if (isOpen(video)) {
        box.append(emerging(video));
    } else {
        box.append(h('div', {className: 'failed-mark'}, icon('close')));
    }
    return {box, start() {}, stop() {}};
}

/** @param {Video} video @param {Actions} actions */
function contentOf(video, actions) {
    const picture = pictureOf(video), title = titleOf(video);
    const open = h('button', {type: 'button', className: 'card-open', 'aria-label': t('open_video', {title}), onclick: () => actions.open(video),
        onpointerenter: picture.start, onpointerleave: picture.stop, onfocus: picture.start, onblur: picture.stop}, picture.box);
    const tools = h('div', {className: 'card-tools'});
    /** @type {Node[]} */
    const lines = [h('h3', {className: 'card-title'}, title)];
    if (isOpen(video)) {
        const value = video.status === 'queued' ? {} : {value: video.progress};
        lines.push(h('progress', {max: 100, ...value, 'aria-label': t('progress_of', {title})}), h('p', {className: 'muted'}, progressText(video)));
        tools.append(button(t('cancel'), 'close', async () => tell(await api.cancel(video.id)), {kind: 'quiet small'}));
    } else if (video.status === 'failed') {
        lines.push(h('p', {className: 'wrong'}, video.error?.code === 'cancelled' ? t('cancelled') : video.error?.message ?? t('failed')));
    } else {
        lines.push(h('p', {className: 'muted'}, factsOf(video)));
    }
    if (!isOpen(video)) {
        tools.append(button(t('use_again'), 'again', () => actions.reuse(video), {kind: 'quiet small'}));
        if (video.details.published)
            tools.append(h('span', {className: 'tag'}, t('published')));
        tools.append(button(t('delete'), 'trash', () => removeVideo(video), {kind: 'quiet small', iconOnly: true}));
    }
    const credentials = h('div', {'aria-live': 'polite'});
    if (video.status === 'completed')
        tools.append(credentialsBadge(video.id, credentials));
    return [open, h('div', {className: 'card-text'}, lines), tools, credentials];
}

/** @param {Video} video */
export async function removeVideo(video) {
    if (!await confirmed(t('delete_question'), t('delete')))
        return false;
    await api.remove(video.id);
    gone.dispatchEvent(new CustomEvent('gone', {detail: video.id}));
    return true;
}

/** Tells which video was deleted. */
export const gone = new EventTarget();

/** Elements that keep the focus where it was although their content is made anew. @param {HTMLElement} element @param {() => void} change */
function keepingFocus(element, change) {
    const focused = document.activeElement;
    const index = focused && element.contains(focused) ? [...element.querySelectorAll('button')].indexOf(/** @type {HTMLButtonElement} */ (focused)) : -1;
    change();
    if (index >= 0)
        [...element.querySelectorAll('button')].at(Math.min(index, element.querySelectorAll('button').length - 1))?.focus();
}

/** @param {Actions} actions */
export function library(actions) {
    const grid = h('div', {className: 'grid'}), more = button(t('more'), null, () => load(), {kind: 'quiet'});
    const search = h('input', {type: 'search', placeholder: t('search'), 'aria-label': t('search'), oninput: () => filter()});
    const empty = h('p', {className: 'empty', hidden: true}, t('library_empty'));
    /** @type {Map<string, {video: Video, card: HTMLElement}>} */
    const cards = new Map();
    /** @type {string | null} */
    let last = null;
    let which = 'all';

    /** @param {Video} video @param {boolean} atEnd */
    const show = (video, atEnd) => {
        const old = cards.get(video.id);
        if (old) {
            const changed = old.video.status !== video.status;
            old.video = video;
            keepingFocus(old.card, () => fill(old.card, ...contentOf(video, actions)));
            old.card.className = `card ${video.status}`;
            if (changed && video.status === 'completed')
                announce(t('is_finished', {title: titleOf(video)}));
        } else {
            const card = h('article', {className: `card ${video.status}`}, contentOf(video, actions));
            cards.set(video.id, {video, card});
            if (atEnd)
                grid.append(card);
            else
                grid.prepend(card);
        }
        watch(video);
        filter();
    };
    const filter = () => {
        const words = search.value.toLowerCase();
        for (const {video, card} of cards.values()) {
            const kind = which === 'all' || (which === 'open' ? isOpen(video) : which === 'published' ? video.details.published : video.status === which);
            card.hidden = !kind || !(titleOf(video).toLowerCase().includes(words) || String(video.details.seed ?? '') === words);
        }
        empty.hidden = cards.size > 0;
    };
    const load = () => attempt(async () => {
        const page = await api.videos({after: last});
        page.data.forEach((video) => show(video, true));
        last = page.last_id;
        more.hidden = !page.has_more;
        filter();
    });
    const tabs = /** @type {[string, string][]} */ ([['all', t('all')], ['open', t('in_the_making')], ['completed', t('finished')], ['published', t('published')], ['failed', t('failed')]]);
    const filters = h('div', {className: 'segments', role: 'group', 'aria-label': t('show')}, tabs.map(([name, label]) => {
        const b = button(label, null, () => {
            which = name;
            filters.querySelectorAll('button').forEach((other) => other.setAttribute('aria-pressed', String(other === b)));
            filter();
        }, {kind: 'segment', pressed: name === 'all'});
        return b;
    }));
    const stop = onVideo((video) => show(video, false));
    gone.addEventListener('gone', (event) => {
        const id = /** @type {CustomEvent<string>} */ (event).detail;
        cards.get(id)?.card.remove();
        cards.delete(id);
        filter();
    });
    more.hidden = true;
    load();
    return {
        element: h('section', {className: 'library', 'aria-labelledby': 'library-title'},
            h('div', {className: 'library-head'}, h('h2', {id: 'library-title'}, t('library')), filters, search), empty, grid, h('div', {className: 'row center'}, more)),
        stop,
    };
}
