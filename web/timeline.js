// A video as a strip of its frames: what is kept lies between two handles, and two more say how much is made before and after.
import {h} from './dom.js';
import {t} from './i18n.js';

/** Seconds that may be made on each side. @param {number} length */
const roomFor = (length) => Math.min(8, Math.max(2, Math.ceil(length * 1.5)));

/** @param {string} url @param {HTMLCanvasElement} strip @returns {Promise<number>} how long it is */
async function drawStrip(url, strip) {
    const video = h('video', {muted: true, playsInline: true, preload: 'auto', src: url}), context = strip.getContext('2d');
    await new Promise((resolve, reject) => {
        video.addEventListener('loadeddata', resolve, {once: true});
        video.addEventListener('error', () => reject(new Error(t('cannot_show'))), {once: true});
    });
    const count = 6, width = strip.width / count;
    for (let i = 0; i < count; i++) {
        video.currentTime = (i + 0.5) / count * video.duration;
        await new Promise((resolve) => video.addEventListener('seeked', resolve, {once: true}));
        const scale = Math.max(width / video.videoWidth, strip.height / video.videoHeight);
        const sw = width / scale, sh = strip.height / scale;
        context?.drawImage(video, (video.videoWidth - sw) / 2, (video.videoHeight - sh) / 2, sw, sh, i * width, 0, width, strip.height);
    }
    return video.duration;
}

/** @param {number} x */
const tenth = (x) => Math.round(x * 10) / 10;

/** @param {string} url */
export async function timeline(url) {
    const strip = h('canvas', {width: 800, height: 72, className: 'strip', 'aria-hidden': 'true'});
    const length = await drawStrip(url, strip);
    const room = roomFor(length), state = {before: 0, from: 0, to: tenth(length), after: Math.min(2, room)};
    const track = h('div', {className: 'track'}), made = {before: h('div', {className: 'made'}), after: h('div', {className: 'made'})};
    const cut = {before: h('div', {className: 'cut'}), after: h('div', {className: 'cut'})}, said = h('p', {className: 'muted', 'aria-live': 'polite'});
    const total = length + 2 * room, percent = (/** @type {number} */ second) => `${(second + room) / total * 100}%`;
    /** @param {HTMLElement} element @param {number} from @param {number} to */
    const lay = (element, from, to) => {
        element.style.left = percent(from);
        element.style.width = `${Math.max(0, to - from) / total * 100}%`;
    };
    /** Where each handle stands, and what it may be. @type {Record<keyof typeof state, {place: () => number, set: (second: number) => void, value: () => number, most: () => number}>} */
    const handles = {
        before: {place: () => state.from - state.before, set: (s) => { state.before = clamp(state.from - s, 0, room); }, value: () => state.before, most: () => room},
        from: {place: () => state.from, set: (s) => { state.from = clamp(s, 0, state.to - 0.1); }, value: () => state.from, most: () => length},
        to: {place: () => state.to, set: (s) => { state.to = clamp(s, state.from + 0.1, length); }, value: () => state.to, most: () => length},
        after: {place: () => state.to + state.after, set: (s) => { state.after = clamp(s - state.to, 0, room); }, value: () => state.after, most: () => room},
    };
    /** @type {Map<string, HTMLElement>} */
    const elements = new Map();
    const show = () => {
        lay(strip, 0, length);
        lay(cut.before, 0, state.from);
        lay(cut.after, state.to, length);
        lay(made.before, state.from - state.before, state.from);
        lay(made.after, state.to, state.to + state.after);
        for (const [name, element] of elements) {
            const handle = handles[/** @type {keyof typeof state} */ (name)];
            element.style.left = percent(handle.place());
            element.setAttribute('aria-valuenow', String(tenth(handle.value())));
            element.setAttribute('aria-valuetext', `${tenth(handle.value())} s`);
        }
        said.textContent = t('recut_says', {from: tenth(state.from), to: tenth(state.to), before: tenth(state.before), after: tenth(state.after)});
    };
    for (const name of /** @type {(keyof typeof state)[]} */ (['before', 'from', 'to', 'after'])) {
        const element = handleFor(t(`handle_${name}`), handles[name].most(), name, (second) => { handles[name].set(tenth(second)); show(); },
            () => handles[name].place(), (x) => { const box = track.getBoundingClientRect(); return (x - box.left) / box.width * total - room; });
        elements.set(name, element);
    }
    track.append(strip, cut.before, cut.after, made.before, made.after, ...elements.values());
    show();
    return {element: h('div', {className: 'stack timeline'}, track, said),
        fields: () => ({from: state.from, to: state.to >= tenth(length) ? 0 : state.to, before: state.before, after: state.after})};
}

/** @param {number} x @param {number} least @param {number} most */
const clamp = (x, least, most) => Math.min(most, Math.max(least, x));

/**
 * @param {string} label @param {number} most @param {string} name @param {(second: number) => void} move
 * @param {() => number} place @param {(clientX: number) => number} secondAt
 */
function handleFor(label, most, name, move, place, secondAt) {
    const element = h('div', {className: `handle ${name}`, role: 'slider', tabIndex: 0, 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': tenth(most)});
    element.addEventListener('pointerdown', (e) => {
        element.setPointerCapture(e.pointerId);
        e.preventDefault();
        element.focus();
    });
    element.addEventListener('pointermove', (e) => {
        if (element.hasPointerCapture(e.pointerId))
            move(secondAt(e.clientX));
    });
    element.addEventListener('keydown', (e) => {
        const steps = /** @type {Record<string, number>} */ ({ArrowLeft: -0.1, ArrowRight: 0.1, PageDown: -1, PageUp: 1});
        if (steps[e.key] === undefined)
            return;
        move(place() + steps[e.key]);
        e.preventDefault();
    });
    return element;
}
