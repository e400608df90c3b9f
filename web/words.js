// The words that a model knows, and those of a prompt that it does not: the rules of src/text/vocabulary.c, so
// that marks follow the typing. Which known words are near in meaning is the server's to say.

/** @typedef {{word: string, start: number, end: number}} Unknown positions are of the string's units */
/** @typedef {Record<string, {en: string[], ja: string[]}[]>} WordLists words.json, less its "format" */

// Words that say nothing by themselves; captions need not have them.
const FUNCTION_WORDS = new Set((
    'a an the this that these those some any each every all both no not of in on at to from by with without and or but ' +
    'as than then so if while when where which who whose what how is are was were be been being am it its itself he him ' +
    "his himself she her hers they them their there here i me my you your we us our one's into onto upon out off up down " +
    'over under front above across along through for about very too also just only do does did done has have had can could ' +
    "will would should may might must let's its").split(' '));

const HIRAGANA = /^[\u3041-\u309f]/u, KATAKANA = /^[\u30a1-\u30fa\u30fc]/u, KANJI = /^[\u3400-\u9fff\uf900-\ufaff\u3005]/u;
const LETTER = /^[\p{L}\p{Mn}\p{Nd}]/u;

/** @param {string} s */
const isLetter = (s) => LETTER.test(s) && !HIRAGANA.test(s) && !KATAKANA.test(s) && !KANJI.test(s);
/** @param {string} s */
const first = (s) => String.fromCodePoint(s.codePointAt(0) ?? 0);

/** The word of letters at the beginning of s. @param {string} s @returns {{word: string, length: number}} */
function wordAt(s) {
    let length = 0;
    while (length < s.length) {
        const c = first(s.slice(length)), next = s.slice(length + c.length);
        const inside = (c === "'" || c === '-' || c === '\u2019') && next !== '' && isLetter(next);
        if (!inside && !isLetter(c))
            break;
        length += c.length;
    }
    let word = s.slice(0, length).replaceAll('\u2019', "'").toLowerCase();
    if (word.length > 2 && word.endsWith("'s"))
        word = word.slice(0, -2);
    return {word, length};
}

export class Vocabulary {
    /** @param {WordLists} lists */
    constructor(lists) {
        /** @type {WordLists} */
        this.lists = Object.fromEntries(Object.entries(lists).filter(([, list]) => Array.isArray(list)));
        const entries = Object.values(this.lists).flat();
        /** Known word forms. */
        this.known = new Set(entries.flatMap((e) => e.en ?? []).flatMap(wordsOf));
        this.terms = entries.flatMap((e) => e.ja ?? []).filter((term) => term !== '');
    }

    /** How much of s a Japanese term covers. @param {string} s */
    covered(s) {
        let longest = 0;
        for (const term of this.terms) {
            let stem = 0;
            while (KANJI.test(term.slice(stem)))
                stem++;
            if (s.startsWith(term))
                longest = Math.max(longest, term.length);
            else if (stem > longest && stem < term.length && s.startsWith(term.slice(0, stem)) && HIRAGANA.test(term.slice(stem)) && HIRAGANA.test(s.slice(stem)))
                longest = stem;
        }
        return longest;
    }

    /** The unknown words of a text, all of them, in their order. @param {string} text @returns {Unknown[]} */
    unknown(text) {
        /** @type {Unknown[]} */
        const found = [];
        for (let at = 0; at < text.length;) {
            const rest = text.slice(at), c = first(rest), term = this.covered(rest);
            if (term > 0 && !(isLetter(c) && term < rest.length && isLetter(rest.slice(term)))) {
                at += term;
            } else if (isLetter(c)) {
                const {word, length} = wordAt(rest);
                if (!FUNCTION_WORDS.has(word) && !this.known.has(word))
                    found.push({word, start: at, end: at + length});
                at += length;
            } else if (KANJI.test(c) || KATAKANA.test(c)) {
                const end = at + this.run(rest);
                found.push({word: text.slice(at, end), start: at, end});
                at = end;
            } else {
                at += c.length;
            }
        }
        return found;
    }

    /** The length of the run of kanji or of katakana that s begins with, up to where a term begins. @param {string} s */
    run(s) {
        const kind = KANJI.test(s) ? KANJI : KATAKANA;
        let n = 1;
        while (kind.test(s.slice(n)) && this.covered(s.slice(n)) === 0)
            n++;
        return n;
    }

    /** Plain terms of a class in a language. @param {string} name @param {string} language @returns {string[]} */
    plain(name, language) {
        return (this.lists[name] ?? []).map((e) => (language === 'ja' ? e.ja?.[0] : e.en?.[0]) ?? '').filter((s) => s !== '');
    }

    /** Terms that go on from what is being typed. @param {string} begun @param {string} language @param {number} most */
    completions(begun, language, most) {
        const low = begun.toLowerCase();
        if (low.length < (language === 'ja' ? 1 : 2))
            return [];
        const all = Object.keys(this.lists).filter((name) => name !== 'others').flatMap((name) => this.plain(name, language));
        return [...new Set(all)].filter((term) => term.startsWith(low) && term !== low).slice(0, most);
    }
}

/** @param {string} text */
function wordsOf(text) {
    const words = [];
    for (let at = 0; at < text.length;) {
        const c = first(text.slice(at));
        if (!isLetter(c)) {
            at += c.length;
            continue;
        }
        const {word, length} = wordAt(text.slice(at));
        words.push(word);
        at += length;
    }
    return words;
}
