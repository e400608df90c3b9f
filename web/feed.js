// What people published.
import {api} from './api.js';
import {announce, askText, attempt, button, fill, h, icon, notify} from './dom.js';
import {t} from './i18n.js';
import {factsOf, moving, titleOf} from './library.js';
import {credentialsBadge} from './credentials.js';

/** @typedef {import('./api.js').Video} Video */

/** @param {import('./create.js').Studio} studio @param {import('./api.js').Key} me */
export function feedView(studio, me) {
    const grid = h('div', {className: 'grid feed'}), empty = h('p', {className: 'empty', hidden: true}, t('feed_empty'));
    const more = button(t('more'), null, () => load(), {kind: 'quiet'});
    let featured = false;
    /** @type {string | null} */
    let last = null;
    const load = () => attempt(async () => {
        const page = await api.feed({featured, after: last});
        grid.append(...page.data.map((video) => feedCard(video, studio, me)));
        last = page.last_id;
        more.hidden = !page.has_more;
        empty.hidden = grid.children.length > 0;
    });
    const tabs = h('div', {className: 'segments', role: 'group', 'aria-label': t('show')}, [false, true].map((kind) => {
        const b = button(t(kind ? 'featured' : 'recent'), null, () => {
            featured = kind;
            last = null;
            fill(grid);
            tabs.querySelectorAll('button').forEach((other) => other.setAttribute('aria-pressed', String(other === b)));
            return load();
        }, {kind: 'segment', pressed: !kind});
        return b;
    }));
    more.hidden = true;
    load();
    return {element: h('div', {className: 'view'}, h('h1', null, t('explore')), h('p', {className: 'lead'}, t('explore_help')), tabs, empty, grid, h('div', {className: 'row center'}, more))};
}

/** @param {Video} video @param {import('./create.js').Studio} studio @param {import('./api.js').Key} me */
function feedCard(video, studio, me) {
    const picture = moving(video), title = titleOf(video), credentials = h('div', {'aria-live': 'polite'});
    let liked = false, likes = video.details.likes, featured = video.details.featured;
    const count = h('span', null, String(likes));
    const like = h('button', {type: 'button', className: 'button quiet small', 'aria-pressed': 'false', 'aria-label': t('like_n', {title, n: likes}), onclick: () => attempt(async () => {
        await api.like(video.id, !liked);
        liked = !liked;
        likes += liked ? 1 : -1;
        count.textContent = String(likes);
        like.setAttribute('aria-pressed', String(liked));
        like.setAttribute('aria-label', t('like_n', {title, n: likes}));
    })}, icon('heart'), count);
    const feature = me.scopes.split(' ').includes('admin') && button(t('feature'), 'star', async () => {
        await api.feature(video.id, !featured);
        featured = !featured;
        /** @type {HTMLButtonElement} */ (feature).setAttribute('aria-pressed', String(featured));
    }, {iconOnly: true, kind: 'quiet small', pressed: featured});
    const watch = h('button', {type: 'button', className: 'card-open', 'aria-label': t('open_video', {title}), onpointerenter: picture.start, onpointerleave: picture.stop,
        onfocus: picture.start, onblur: picture.stop, onclick: () => attempt(async () => (await import('./player.js')).openPlayer(video, title))}, picture.box);
    return h('article', {className: 'card completed'}, watch,
        h('div', {className: 'card-text'}, h('h2', {className: 'card-title'}, title),
            video.details.title && video.prompt ? h('p', {className: 'muted'}, video.prompt) : null, h('p', {className: 'muted'}, factsOf(video))),
        h('div', {className: 'card-tools'}, like,
            button(t('remix'), 'remix', async () => (await import('./tools.js')).openTool(video, 'remix', studio), {kind: 'quiet small'}),
            feature, button(t('report'), 'flag', () => report(video), {iconOnly: true, kind: 'quiet small'}), credentialsBadge(video.id, credentials)), credentials);
}

/** @param {Video} video */
async function report(video) {
    const reason = await askText(t('report'), t('report_why'), t('report'), true);
    if (!reason)
        return;
    await api.report(video.id, reason);
    notify(t('reported'));
    announce(t('reported'));
}
