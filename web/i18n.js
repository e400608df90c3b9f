// The words of the page. The texts of a language are loaded alone: en.js, ja.js.
import en from './en.js';

/** @typedef {keyof typeof en} TextName */

/** @type {Record<string, string>} */
let texts = en;
export let language = 'en';

export const LANGUAGES = /** @type {[string, string][]} */ ([['en', 'English'], ['ja', '日本語']]);

/** @param {string} name */
function stored(name) {
    try {
        return localStorage.getItem(name);
    } catch {
        return null; // storage is forbidden
    }
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
    try {
        localStorage.setItem(name, value);
    } catch {
        // It is forgotten with the page.
    }
}
export {stored as remembered};

/** What was chosen, else the browser's first language that there is. */
export async function loadLanguage() {
    const wanted = [stored('language') ?? '', ...navigator.languages].map((l) => l.slice(0, 2));
    language = wanted.find((l) => LANGUAGES.some(([name]) => name === l)) ?? 'en';
    texts = language === 'ja' ? (await import('./ja.js')).default : en;
    document.documentElement.lang = language;
}

/** A text with its {blanks} filled in. @param {TextName} name @param {Record<string, string | number>} [values] */
export function t(name, values = {}) {
    return texts[name].replace(/\{(\w+)\}/g, (whole, key) => String(values[key] ?? whole));
}

/** @param {number} seconds */
export function duration(seconds) {
    const s = Math.max(0, Math.round(seconds));
    return s < 60 ? t('seconds_short', {n: s}) : t('minutes_short', {m: Math.floor(s / 60), s: s % 60});
}

/** @param {number | null | undefined} seconds since 1970 */
export function date(seconds) {
    return seconds ? new Intl.DateTimeFormat(language, {dateStyle: 'medium', timeStyle: 'short'}).format(seconds * 1000) : '';
}
