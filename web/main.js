// Starts the page: language, who is there, what the models know; then shows what the address says.
import {api, whenLocked} from './api.js';
import {attempt, button, field, fill, h, icon, installNotices, select} from './dom.js';
import {LANGUAGES, language, loadLanguage, remember, remembered, t} from './i18n.js';
import {createView} from './create.js';

/** @typedef {import('./create.js').Studio} Studio */
/** @typedef {{element: HTMLElement, stop?: () => void, focus?: () => void}} View */
/** @typedef {{name: string, label: import('./i18n.js').TextName, icon: string, show: (studio: Studio, me: import('./api.js').Key) => Promise<View>}} Place */

/** @type {ReturnType<typeof createView> | null} */
let home = null;

/** @type {Place[]} */
const PLACES = [
    {name: '', label: 'create', icon: 'create', show: async (studio) => (home = createView(studio))},
    {name: 'storyboard', label: 'storyboard', icon: 'cards', show: async (studio) => (await import('./storyboard.js')).storyboardView(studio)},
    {name: 'live', label: 'live', icon: 'live', show: async (studio) => (await import('./live.js')).liveView(studio)},
    {name: 'explore', label: 'explore', icon: 'feed', show: async (studio, me) => (await import('./feed.js')).feedView(studio, me)},
    {name: 'verify', label: 'verify', icon: 'verify', show: async () => (await import('./verify.js')).verifyView()},
    {name: 'keys', label: 'keys', icon: 'keys', show: async (_, me) => (await import('./admin.js')).keysView(me)},
];

const main = h('main', {id: 'main', tabIndex: -1});
/** @type {View | null} */
let view = null;

/** @param {Studio} studio @param {import('./api.js').Key} me */
async function showPlace(studio, me) {
    const [name, id] = location.hash.replace(/^#\/?/, '').split('/');
    document.querySelectorAll('dialog').forEach((d) => d.close());
    const place = PLACES.find((p) => p.name === (name === 'video' ? '' : name)) ?? PLACES[0];
    document.querySelectorAll('nav a').forEach((a) => {
        if (a.getAttribute('href') === `#/${place.name}`)
            a.setAttribute('aria-current', 'page');
        else
            a.removeAttribute('aria-current');
    });
    if (name !== 'video' || !home) {
        view?.stop?.();
        home = null;
        view = await place.show(studio, me);
        fill(main, view.element);
        document.title = place.name ? `${t(place.label)} · Sora` : 'Sora';
        window.scrollTo(0, 0);
        view.focus?.();
    }
    if (name === 'video' && id)
        await attempt(async () => {
            const video = await api.video(id);
            if (location.hash === `#/video/${id}`) // nobody went on meanwhile
                studio.openVideo(video);
        });
}

/** @param {import('./api.js').Key} me */
function shell(me) {
    const nav = h('nav', {'aria-label': t('places')}, PLACES.map((p) => h('a', {href: `#/${p.name}`}, icon(p.icon), h('span', null, t(p.label)))));
    const languages = select(LANGUAGES, language, (value) => {
        remember('language', value);
        location.reload();
    });
    languages.setAttribute('aria-label', t('language'));
    const themes = /** @type {[string, string][]} */ ([['', t('theme_auto')], ['light', t('theme_light')], ['dark', t('theme_dark')]]);
    const theme = select(themes, remembered('theme') ?? '', (value) => {
        remember('theme', value);
        applyTheme();
    });
    theme.setAttribute('aria-label', t('theme'));
    const leave = me.id !== 'local' && button(t('log_out'), null, async () => {
        await api.end();
        location.reload();
    }, {kind: 'quiet small'});
    const skip = h('a', {className: 'skip', href: '#main', onclick: (/** @type {Event} */ e) => { e.preventDefault(); main.focus(); }}, t('skip'));
    return [skip, h('header', {className: 'top'},
        h('a', {className: 'brand', href: '#/'}, h('img', {src: 'favicon.svg', alt: '', width: 28, height: 28}), h('span', null, 'Sora')), nav,
        h('div', {className: 'settings'}, languages, theme, leave)), main];
}

function applyTheme() {
    const theme = remembered('theme');
    if (theme)
        document.documentElement.dataset.theme = theme;
    else
        delete document.documentElement.dataset.theme;
}

/** A key is wanted. Resolves with whose it is. @returns {Promise<import('./api.js').Key>} */
function logIn() {
    return new Promise((resolve) => {
        const key = h('input', {type: 'password', autocomplete: 'current-password', required: true});
        const form = h('form', {className: 'stack login', onsubmit: (/** @type {Event} */ event) => {
            event.preventDefault();
            attempt(async () => resolve(await api.begin(key.value.trim())));
        }}, h('img', {src: 'favicon.svg', alt: '', width: 56, height: 56}), h('h1', null, t('log_in')), h('p', {className: 'muted'}, t('log_in_help')),
        field(t('api_key'), key), h('button', {type: 'submit', className: 'button primary'}, t('log_in')));
        fill(main, form);
        document.body.prepend(main);
        key.focus();
    });
}

/** @returns {Promise<Studio['styles']>} */
async function loadStyles() {
    const response = await fetch('styles.json');
    const list = response.ok ? await response.json() : {};
    return Object.entries(list).map(([name, style]) => ({name, .../** @type {any} */ (style)}));
}

/** The address no longer names a video once its dialog is closed. */
function leaveVideo() {
    if (location.hash.startsWith('#/video/'))
        history.replaceState(null, '', '#/');
}

/** A model may have several names: one of each is enough to choose from, its own where it has it. @param {Studio['models']} models */
function distinct(models) {
    const own = (/** @type {import('./api.js').Model} */ m) => m.details?.model ?? m.id;
    return models.filter((m, i) => models.findIndex((o) => own(o) === own(m)) === i).map((m) => models.find((o) => o.id === own(m)) ?? m);
}

async function begin() {
    applyTheme();
    await loadLanguage();
    installNotices();
    const me = await api.me(true).catch((error) => {
        if (error.status === 401)
            return logIn();
        throw error;
    });
    whenLocked(() => location.reload());
    const [models, styles] = await Promise.all([api.models().then((m) => distinct(m.data), () => []), loadStyles().catch(() => [])]);
    /** @type {Studio} */
    const studio = {
        models, styles,
        openVideo: (video) => attempt(async () => (await import('./detail.js')).openDetail(video, studio, leaveVideo, (v) => {
            if (location.hash.replace(/^#\/?/, '').split('/')[0] && !home)
                location.hash = '#/';
            setTimeout(() => home?.reuse(v), 50);
        })),
        openTools: (file) => attempt(async () => (await import('./tools.js')).openFileTools(file, studio)),
    };
    document.body.prepend(...shell(me));
    window.addEventListener('hashchange', () => attempt(() => showPlace(studio, me)));
    await showPlace(studio, me);
}

begin().catch((error) => {
    document.body.prepend(main);
    fill(main, h('div', {className: 'view'}, h('p', {className: 'wrong'}, error instanceof Error ? error.message : String(error))));
});

