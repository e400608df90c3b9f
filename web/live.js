// A video that goes on while it plays: each piece is made from the end of the one before and of the words that stand in the
// line when it begins. The next piece is in the making while one plays.
import {api, contentUrl} from './api.js';
import {attempt, fill, h, icon, numberField, field, randomSeed} from './dom.js';
import {t} from './i18n.js';
import {finished} from './jobs.js';
import {lengthOf, sizesOf} from './create.js';
import {promptField} from './prompt.js';

/** @typedef {{id: string, from: number, words: string}} Piece from: the second at which what is new begins */

const OVERLAP = 0.5; // seconds of the piece before that a new one sees

/** Makes pieces, one ahead of what plays. */
class Maker {
    /** @param {import('./create.js').Studio} studio @param {() => string} words @param {() => number} seconds */
    constructor(studio, words, seconds) {
        this.model = studio.models[0];
        this.words = words;
        this.seconds = seconds;
        this.stopped = new AbortController();
        /** @type {Piece | null} */
        this.last = null;
    }

    /** @param {(text: string) => void} say @returns {Promise<Piece>} */
    async next(say) {
        const words = this.words(), fields = {prompt: words, model: this.model?.id, seed: randomSeed()};
        const begun = this.last === null
            ? await api.create({...fields, size: sizesOf(this.model)[0][0], seconds: lengthOf(this.model)})
            : await api.studio({...fields, operation: 'recut', videos: [{id: this.last.id}], from: -OVERLAP, after: this.seconds()});
        const video = await finished(begun, (v) => say(t('percent', {n: v.progress})), this.stopped.signal);
        if (video.status === 'failed')
            throw new Error(video.error?.message ?? t('failed'));
        this.last = {id: video.id, from: begun.details.operation === 'recut' ? OVERLAP : 0, words};
        return this.last;
    }
}

/** Two players: one plays, the other has the next piece ready. @param {HTMLElement} stage */
function players(stage) {
    const both = [0, 1].map(() => h('video', {muted: true, playsInline: true, preload: 'auto', 'aria-label': t('live')}));
    let shown = 0;
    fill(stage, ...both);
    return {
        /** @param {Piece} piece */
        async load(piece) {
            const player = both[1 - shown];
            player.src = contentUrl(piece.id);
            await new Promise((resolve, reject) => {
                player.addEventListener('loadeddata', resolve, {once: true});
                player.addEventListener('error', () => reject(new Error(t('cannot_show'))), {once: true});
            });
            player.currentTime = piece.from;
        },
        /** Resolves when it has ended. @param {AbortSignal} signal */
        async play(signal) {
            shown = 1 - shown;
            both[shown].classList.add('shown');
            await both[shown].play();
            both[1 - shown].classList.remove('shown');
            await new Promise((resolve) => {
                both[shown].addEventListener('ended', resolve, {once: true});
                signal.addEventListener('abort', resolve, {once: true});
            });
        },
        stop: () => both.forEach((p) => p.pause()),
    };
}

/** @param {import('./create.js').Studio} studio */
export function liveView(studio) {
    const line = promptField({label: t('prompt_label'), placeholder: t('live_placeholder'), rows: 2});
    if (studio.models[0])
        line.use(studio.models[0].id);
    const seconds = numberField(lengthOf(studio.models[0]), {min: 0.5, max: 8, step: 0.5}), keep = h('input', {type: 'checkbox'});
    const stage = h('div', {className: 'stage live-stage'}, h('div', {className: 'haze'})), said = h('p', {className: 'muted', 'aria-live': 'polite'}), now = h('p', {className: 'now'});
    /** @type {Maker | null} */
    let maker = null;
    const stop = () => {
        maker?.stopped.abort();
        maker = null;
        set();
    };
    const start = async () => {
        if (line.value() === '') {
            line.input.focus();
            throw new Error(t('prompt_missing'));
        }
        maker = new Maker(studio, () => line.value(), () => Number(seconds.value) || 1);
        set();
        try {
            await run(maker);
        } finally {
            if (maker)
                stop();
        }
    };
    /** @param {Maker} m */
    const run = async (m) => {
        const say = (/** @type {string} */ text) => { said.textContent = t('next_piece', {state: text}); };
        const screen = players(stage);
        let piece = await m.next(say);
        /** @type {Piece | null} */
        let played = null;
        while (!m.stopped.signal.aborted) {
            await screen.load(piece);
            now.textContent = piece.words;
            const [next] = await Promise.all([m.next(say), screen.play(m.stopped.signal)]);
            if (played && !keep.checked)
                await api.remove(played.id).catch(() => {});
            played = piece;
            piece = next;
        }
        screen.stop();
    };
    const toggle = h('button', {type: 'button', className: 'button primary large', onclick: () => maker ? stop() : attempt(start)});
    const set = () => {
        fill(toggle, icon(maker ? 'pause' : 'play'), h('span', null, t(maker ? 'stop' : 'start')));
        if (!maker)
            said.textContent = '';
    };
    set();
    return {element: h('div', {className: 'view'}, h('h1', null, t('live')), h('p', {className: 'lead'}, t('live_help')),
        h('div', {className: 'live-box'}, stage, h('div', {className: 'stack'}, line.element,
            h('div', {className: 'knobs'}, field(t('piece_seconds'), seconds), h('label', {className: 'check'}, keep, h('span', null, t('keep_pieces')))),
            h('div', {className: 'row'}, toggle), now, said))), stop};
}
