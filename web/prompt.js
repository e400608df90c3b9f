// The line to type in. Below the letters lies a copy of the text in which unknown words are marked; below the line are words
// to take instead, or to go on with.
import {announce, fill, h, uniqueId} from './dom.js';
import {language, t} from './i18n.js';
import {Vocabulary} from './words.js';
import {api} from './api.js';

/** @type {Map<string, Promise<Vocabulary | null>>} */
const vocabularies = new Map();

/** Null: the model does not say. @param {string} model @returns {Promise<Vocabulary | null>} */
export function vocabularyOf(model) {
    let found = vocabularies.get(model);
    if (!found) {
        found = api.words(model).then((lists) => new Vocabulary(lists), () => null);
        vocabularies.set(model, found);
    }
    return found;
}

/** Known words that are near to unknown ones, as far as the server was asked; null: there is none. @type {Map<string, Map<string, string | null>>} */
const nearWords = new Map();

/** @param {string} model */
function nearOf(model) {
    const found = nearWords.get(model) ?? new Map();
    nearWords.set(model, found);
    return found;
}

/** Calls back once the words' near ones are there, if any was missing. @param {string} model @param {string[]} words @param {() => void} then */
function findNear(model, words, then) {
    const near = nearOf(model), missing = words.filter((w) => !near.has(w)).slice(0, 20);
    if (missing.length === 0)
        return;
    api.unknown(model, missing.join(' ')).then(({data}) => {
        missing.forEach((w) => near.set(w, null));
        data.forEach((d) => near.set(d.word, d.near));
        then();
    }, () => {}); // then others are offered
}

const CLASSES = /** @type {const} */ (['nouns', 'scenery', 'colours', 'counts', 'actions', 'directions', 'places', 'times', 'weathers', 'cameras']);

/**
 * @typedef {object} PromptField
 * @property {HTMLElement} element @property {HTMLTextAreaElement} input
 * @property {() => string} value @property {(text: string) => void} set @property {(model: string) => void} use
 */

/** @param {{label: string, placeholder?: string, hideLabel?: boolean, rows?: number, onSubmit?: () => void}} options @returns {PromptField} */
export function promptField(options) {
    const id = uniqueId('prompt'), hint = uniqueId('hint');
    const mirror = h('div', {className: 'mirror', 'aria-hidden': 'true'});
    const input = h('textarea', {id, rows: options.rows ?? 1, placeholder: options.placeholder ?? '', maxLength: 32000, spellcheck: false,
        autocapitalize: 'off', 'aria-describedby': hint});
    const offers = h('div', {className: 'offers'});
    const known = h('details', {className: 'known-words', hidden: true});
    /** @type {Vocabulary | null} */
    let vocabulary = null;
    let modelId = '', timer = 0;

    /** @param {number} start @param {number} end @param {string} word */
    const replace = (start, end, word) => {
        input.focus();
        input.setRangeText(word, start, end, 'end');
        refresh();
    };
    const mark = (/** @type {import('./words.js').Unknown[]} */ marks) =>
        paint(mirror, input.value, marks, input.selectionStart === input.value.length && document.activeElement === input);
    const refresh = () => {
        const marks = vocabulary?.unknown(input.value) ?? [];
        mark(marks);
        fill(offers, ...(vocabulary ? offersFor(vocabulary, nearOf(modelId), input, marks, replace, hint) : [h('span', {id: hint, hidden: true})]));
        mirror.scrollTop = input.scrollTop;
        clearTimeout(timer);
        timer = window.setTimeout(() => findNear(modelId, [...new Set(marks.map((m) => m.word))], refresh), 250);
    };
    input.addEventListener('input', refresh);
    // The offers stay, since the focus may be on its way to one of them.
    input.addEventListener('blur', () => mark(vocabulary?.unknown(input.value) ?? []));
    input.addEventListener('scroll', () => { mirror.scrollTop = input.scrollTop; });
    input.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && options.onSubmit) {
            event.preventDefault();
            options.onSubmit();
        }
    });
    refresh();
    return {
        element: h('div', {className: 'prompt'},
            h('label', {htmlFor: id, className: options.hideLabel ? 'visually-hidden' : ''}, options.label),
            h('div', {className: 'prompt-line'}, mirror, input), offers, known),
        input, value: () => input.value.trim(),
        set(text) { input.value = text; refresh(); },
        use(model) {
            vocabularyOf(model).then((v) => {
                vocabulary = v;
                modelId = model;
                known.hidden = v === null;
                if (v)
                    fill(known, ...knownWords(v, (word) => insert(input, word, refresh)));
                refresh();
            });
        },
    };
}

/** @param {HTMLElement} mirror @param {string} text @param {import('./words.js').Unknown[]} marks @param {boolean} typing */
function paint(mirror, text, marks, typing) {
    const pieces = [];
    let at = 0;
    for (const m of marks) {
        if (typing && m.end === text.length) // it is not finished
            continue;
        pieces.push(text.slice(at, m.start), h('mark', null, text.slice(m.start, m.end)));
        at = m.end;
    }
    fill(mirror, ...pieces, text.slice(at) + '\n');
}

/**
 * @param {Vocabulary} vocabulary @param {Map<string, string | null>} near @param {HTMLTextAreaElement} input @param {import('./words.js').Unknown[]} marks
 * @param {(start: number, end: number, word: string) => void} replace @param {string} hint id of what describes the line
 */
function offersFor(vocabulary, near, input, marks, replace, hint) {
    const pieces = [], seen = new Set();
    for (const m of marks.slice(0, 3)) {
        if (seen.has(m.word))
            continue;
        seen.add(m.word);
        const other = near.get(m.word), others = other ? [other] : nouns(vocabulary, m.word);
        pieces.push(h('span', {className: 'offer'}, h('mark', null, m.word), others.map((word) =>
            h('button', {type: 'button', className: 'chip', 'aria-label': t('replace_word', {word: m.word, by: word}),
                onclick: () => replace(m.start, m.end, word)}, word))));
    }
    const end = input.selectionStart ?? 0;
    const begun = /[^\s、。]*$/u.exec(input.value.slice(0, end))?.[0] ?? '';
    const more = vocabulary.completions(begun, language, 5);
    if (more.length > 0 && document.activeElement === input)
        pieces.push(h('span', {className: 'offer'}, more.map((word) => h('button', {type: 'button', className: 'chip quiet',
            onpointerdown: (/** @type {Event} */ e) => e.preventDefault(), onclick: () => replace(end - begun.length, end, word)}, word))));
    const said = marks.length > 0 ? t('unknown_words', {words: [...seen].join(', ')}) : '';
    return [h('span', {id: hint, className: said ? 'muted' : 'visually-hidden'}, said), ...pieces];
}

/** Some nouns, others for each word. @param {Vocabulary} vocabulary @param {string} word */
function nouns(vocabulary, word) {
    const all = vocabulary.plain('nouns', language);
    let n = 0;
    for (const c of word)
        n = (n * 31 + (c.codePointAt(0) ?? 0)) % 997;
    return all.length === 0 ? [] : [0, 1, 2].map((i) => all[(n + i * 7) % all.length]);
}

/** @param {Vocabulary} vocabulary @param {(word: string) => void} take */
function knownWords(vocabulary, take) {
    return [h('summary', null, t('known_words')), h('div', {className: 'known-lists'}, CLASSES.map((name) => {
        const words = vocabulary.plain(name, language);
        return words.length > 0 && h('section', null, h('h3', null, t(name === 'places' ? 'places_class' : name)), h('div', {className: 'chips'}, words.map((word) =>
            h('button', {type: 'button', className: 'chip', onclick: () => { take(word); announce(t('added', {what: word})); }}, word))));
    }))];
}

/** @param {HTMLTextAreaElement} input @param {string} word @param {() => void} refresh */
function insert(input, word, refresh) {
    const at = input.selectionEnd ?? input.value.length;
    const space = language !== 'ja' && at > 0 && !/\s$/u.test(input.value.slice(0, at)) ? ' ' : '';
    input.setRangeText(space + word, at, at, 'end');
    refresh();
}
