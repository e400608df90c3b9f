// A video that never ends, shown while it is made: the server sends frame after frame into an <img>, and what is typed is heard by
// the next window, about a second later.
import {api, liveUrl} from './api.js';
import {attempt, fill, h, icon} from './dom.js';
import {t} from './i18n.js';
import {promptField} from './prompt.js';

const TYPED_MS = 700; // after the last key, what stands in the line is said

/** Waits until the first frame is there. @param {HTMLImageElement} picture @param {AbortSignal} stopped */
const firstFrame = (picture, stopped) => new Promise((resolve, reject) => {
    const look = () => stopped.aborted || picture.naturalWidth > 0 ? resolve(undefined) : setTimeout(look, 100);
    picture.addEventListener('error', () => stopped.aborted ? resolve(undefined) : reject(new Error(t('cannot_show'))), {once: true});
    look();
});

/** @param {import('./create.js').Studio} studio */
export function liveView(studio) {
    const line = promptField({label: t('prompt_label'), placeholder: t('live_placeholder'), rows: 2});
    if (studio.models[0])
        line.use(studio.models[0].id);
    const haze = h('div', {className: 'haze'}), stage = h('div', {className: 'stage live-stage'}, haze);
    const said = h('p', {className: 'muted', 'aria-live': 'polite'}), now = h('p', {className: 'now', 'aria-live': 'polite'});
    /** @type {{id: string, words: string, stopped: AbortController} | null} */
    let running = null;
    let timer = 0;
    const stop = () => {
        const ended = running;
        running = null;
        clearTimeout(timer);
        if (ended) {
            ended.stopped.abort();
            api.endLive(ended.id).catch(() => {});
        }
        set();
    };
    const say = async () => {
        const words = line.value().trim();
        if (!running || words === '' || words === running.words)
            return;
        await api.changeLive(running.id, words);
        running.words = words;
        now.textContent = words;
    };
    line.input.addEventListener('input', () => {
        clearTimeout(timer);
        timer = setTimeout(() => attempt(say), TYPED_MS);
    });
    const start = async () => {
        const words = line.value().trim();
        if (words === '') {
            line.input.focus();
            throw new Error(t('prompt_missing'));
        }
        said.textContent = t('live_begins');
        const {id} = await api.beginLive({prompt: words, model: studio.models[0]?.id});
        const mine = running = {id, words, stopped: new AbortController()};
        now.textContent = words;
        set();
        const picture = h('img', {alt: t('live'), src: liveUrl(id)});
        fill(stage, haze, picture);
        try {
            await firstFrame(picture, mine.stopped.signal);
            picture.classList.add('shown');
            said.textContent = '';
        } catch (error) {
            stop();
            throw error;
        }
    };
    const toggle = h('button', {type: 'button', className: 'button primary large', onclick: () => running ? stop() : attempt(start)});
    const set = () => {
        fill(toggle, icon(running ? 'pause' : 'play'), h('span', null, t(running ? 'stop' : 'start')));
        if (!running) {
            said.textContent = '';
            stage.querySelector('img')?.removeAttribute('src'); // or it would read on; the last frame goes
            fill(stage, haze);
        }
    };
    set();
    return {element: h('div', {className: 'view'}, h('h1', null, t('live')), h('p', {className: 'lead'}, t('live_help')),
        h('div', {className: 'live-box'}, stage, h('div', {className: 'stack'}, line.element,
            h('div', {className: 'row'}, toggle), now, said))), stop};
}
