// A video told in cards on a time line: each has words, and the second from which on they count.
import {api} from './api.js';
import {announce, button, field, fill, h, notify, numberField, randomSeed, select} from './dom.js';
import {t} from './i18n.js';
import {tell, watch} from './jobs.js';
import {promptField} from './prompt.js';
import {sizesOf} from './create.js';

/** @typedef {{from: number, prompt: ReturnType<typeof promptField>}} Card */

/** @param {number} x */
const tenth = (x) => Math.round(x * 10) / 10;

/** @param {import('./create.js').Studio} studio */
export function storyboardView(studio) {
    const model = studio.models[0], seconds = numberField(6, {min: 1, max: 120, step: 0.5});
    const size = select(sizesOf(model), sizesOf(model)[0][0]), seed = numberField('', {min: 0, max: 4294967295, step: 1, placeholder: t('random')});
    const ruler = h('div', {className: 'ruler'}), list = h('ol', {className: 'board'});
    /** @type {Card[]} */
    const cards = [];
    const length = () => Math.max(1, Number(seconds.value) || 1);
    const newCard = (/** @type {number} */ from) => {
        const prompt = promptField({label: t('card_words'), rows: 3});
        if (model)
            prompt.use(model.id);
        return {from, prompt};
    };
    const show = () => {
        cards.sort((a, b) => a.from - b.from);
        cards[0].from = 0;
        fill(ruler, ...cards.map((card, i) => blockFor(card, i)));
        fill(list, ...cards.map((card, i) => h('li', {className: 'story-card'},
            h('header', null, h('strong', null, t('card_n', {n: i + 1})), h('span', {className: 'muted'}, `${tenth(card.from)} – ${tenth(cards[i + 1]?.from ?? length())} s`)),
            card.prompt.element,
            i > 0 && field(t('begins_at'), startField(card, i)),
            h('div', {className: 'row'}, button(t('move_left'), 'left', () => swap(i, i - 1), {iconOnly: true, kind: 'quiet small', disabled: i === 0}),
                button(t('move_right'), 'right', () => swap(i, i + 1), {iconOnly: true, kind: 'quiet small', disabled: i === cards.length - 1}),
                button(t('remove_card'), 'trash', () => { cards.splice(i, 1); show(); }, {iconOnly: true, kind: 'quiet small', disabled: cards.length === 1})))));
    };
    /** @param {number} i @param {number} second */
    const moveTo = (i, second) => {
        cards[i].from = tenth(Math.min((cards[i + 1]?.from ?? length()) - 0.2, Math.max(cards[i - 1].from + 0.2, second)));
    };
    /** @param {Card} card @param {number} i */
    const startField = (card, i) => {
        const input = numberField(tenth(card.from), {min: 0, max: 120, step: 0.1});
        input.addEventListener('change', () => { moveTo(i, Number(input.value)); show(); });
        return input;
    };
    /** @param {Card} card @param {number} i */
    const blockFor = (card, i) => {
        const next = cards[i + 1]?.from ?? length(), block = h('div', {className: 'block'}, h('span', null, card.prompt.value() || t('card_n', {n: i + 1})));
        block.style.flexGrow = String(Math.max(0.2, next - card.from));
        if (i === 0)
            return block;
        const grip = h('div', {className: 'grip', role: 'slider', tabIndex: 0, 'aria-label': t('card_begins', {n: i + 1}), 'aria-valuemin': 0, 'aria-valuemax': length(),
            'aria-valuenow': tenth(card.from), 'aria-valuetext': `${tenth(card.from)} s`});
        grip.addEventListener('pointerdown', (e) => { e.preventDefault(); dragFrom(i, e); });
        grip.addEventListener('keydown', (e) => {
            const step = e.key === 'ArrowLeft' ? -0.1 : e.key === 'ArrowRight' ? 0.1 : 0;
            if (step === 0)
                return;
            e.preventDefault();
            moveTo(i, card.from + step);
            show();
            /** @type {HTMLElement | undefined} */ (ruler.querySelectorAll('[role=slider]')[i - 1])?.focus();
        });
        block.prepend(grip);
        return block;
    };
    /** @param {number} i @param {PointerEvent} start */
    const dragFrom = (i, start) => {
        const move = (/** @type {PointerEvent} */ e) => {
            const box = ruler.getBoundingClientRect();
            moveTo(i, (e.clientX - box.left) / box.width * length());
            show();
        };
        const end = () => { removeEventListener('pointermove', move); removeEventListener('pointerup', end); };
        addEventListener('pointermove', move);
        addEventListener('pointerup', end);
        move(start);
    };
    /** The words change places; the times stay. @param {number} a @param {number} b */
    const swap = (a, b) => {
        [cards[a].prompt, cards[b].prompt] = [cards[b].prompt, cards[a].prompt];
        show();
    };
    const add = () => {
        const last = cards[cards.length - 1];
        if (length() - last.from < 0.6)
            seconds.value = String(length() + 2);
        cards.push(newCard(tenth((last.from + length()) / 2)));
        show();
        cards[cards.length - 1].prompt.input.focus();
        announce(t('card_n', {n: cards.length}));
    };
    seconds.addEventListener('change', () => {
        cards.forEach((card, i) => { card.from = Math.min(card.from, tenth(length() * i / cards.length)); });
        show();
    });
    list.addEventListener('input', () => fill(ruler, ...cards.map((card, i) => blockFor(card, i))));
    cards.push(newCard(0), newCard(3));
    show();
    const submit = async () => {
        const passages = cards.map((card) => ({prompt: card.prompt.value(), from: card.from}));
        const missing = passages.findIndex((p) => p.prompt === '');
        if (missing >= 0) {
            cards[missing].prompt.input.focus();
            throw new Error(t('card_empty', {n: missing + 1}));
        }
        const video = await api.create({passages, model: model?.id, seconds: seconds.value, size: size.value, seed: Number(seed.value) || randomSeed()});
        tell(video);
        watch(video);
        notify(t('begun_one'));
        location.hash = `#/video/${video.id}`;
    };
    return {element: h('div', {className: 'view'}, h('h1', null, t('storyboard')), h('p', {className: 'lead'}, t('storyboard_help')),
        h('div', {className: 'knobs'}, field(t('whole_seconds'), seconds), field(t('size'), size), field(t('seed'), seed)), ruler, list,
        h('div', {className: 'row wrap'}, button(t('add_card'), 'plus', add), button(t('make'), 'create', submit, {kind: 'primary'})))};
}
