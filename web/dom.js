// Small helpers to build the page. No framework: an element is made once and changed where it changes.
import {t} from './i18n.js';

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element: properties that the element has are set, on... are listeners, the rest are attributes.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, any> | null} [props] @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(props ?? {})) {
        if (value === undefined || value === null || value === false)
            continue;
        if (name.startsWith('on'))
            element.addEventListener(name.slice(2).toLowerCase(), value);
        else if (name in element && name !== 'list')
            /** @type {any} */ (element)[name] = value;
        else
            element.setAttribute(name, value === true ? '' : String(value));
    }
    for (const child of children.flat())
        if (child !== null && child !== undefined && child !== false)
            element.append(typeof child === 'number' ? String(child) : child);
    return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** A picture of icons.svg, for the eye alone. @param {string} name */
export function icon(name) {
    const svg = document.createElementNS(SVG, 'svg'), use = document.createElementNS(SVG, 'use');
    svg.setAttribute('class', 'icon');
    svg.setAttribute('aria-hidden', 'true');
    use.setAttribute('href', `icons.svg#${name}`);
    svg.append(use);
    return svg;
}

/**
 * @param {string} label @param {string | null} picture @param {() => any} run
 * @param {{kind?: string, iconOnly?: boolean, pressed?: boolean, disabled?: boolean, title?: string}} [options]
 */
export function button(label, picture, run, options = {}) {
    return h('button', {
        type: 'button', className: `button ${options.kind ?? ''} ${options.iconOnly ? 'icon-only' : ''}`.trim(),
        'aria-label': options.iconOnly ? label : undefined, title: options.iconOnly ? label : options.title,
        'aria-pressed': options.pressed === undefined ? undefined : String(options.pressed), disabled: options.disabled,
        onclick: () => attempt(run),
    }, picture ? icon(picture) : null, options.iconOnly ? null : h('span', null, label));
}

let nextId = 0;
/** @param {string} prefix */
export const uniqueId = (prefix) => `${prefix}-${++nextId}`;

/** A field with its label above it. @param {string} label @param {HTMLElement} control @param {string} [help] */
export function field(label, control, help) {
    control.id ||= uniqueId('field');
    const hint = help ? h('small', {id: uniqueId('help'), className: 'muted'}, help) : null;
    if (hint)
        control.setAttribute('aria-describedby', hint.id);
    return h('div', {className: 'field'}, h('label', {htmlFor: control.id}, label), control, hint);
}

/** @param {[string, string][]} options value and label @param {string} value @param {(value: string) => void} [onChange] */
export function select(options, value, onChange) {
    const element = h('select', {onchange: () => onChange?.(element.value)},
        options.map(([key, label]) => h('option', {value: key}, label)));
    element.value = value;
    return element;
}

/** @param {number | ''} value @param {{min?: number, max?: number, step?: number | 'any', placeholder?: string}} range */
export function numberField(value, range) {
    return h('input', {type: 'number', inputMode: 'decimal', value: String(value), min: range.min, max: range.max, step: range.step ?? 'any',
        placeholder: range.placeholder});
}

/** Replaces what is in an element. @param {Element} element @param {...(Child | Child[])} children */
export function fill(element, ...children) {
    element.replaceChildren(...children.flat().filter((c) => c !== null && c !== undefined && c !== false).map((c) => /** @type {Node | string} */ (typeof c === 'number' ? String(c) : c)));
}

const polite = h('div', {className: 'visually-hidden', role: 'status', 'aria-live': 'polite'});
const notices = h('div', {className: 'notices', role: 'alert'});

export function installNotices() {
    document.body.append(polite, notices);
}

/** Said by a screen reader, not shown. @param {string} text */
export function announce(text) {
    polite.textContent = text;
}

/** Shown for a while. @param {string} text @param {'error' | 'done'} [kind] */
export function notify(text, kind = 'done') {
    const open = [...document.querySelectorAll('dialog[open]')].at(-1);
    (open ?? document.body).append(notices);
    const notice = h('div', {className: `notice ${kind}`}, h('span', null, text),
        h('button', {type: 'button', className: 'button quiet icon-only', 'aria-label': t('close'), onclick: () => notice.remove()}, icon('close')));
    notices.append(notice);
    setTimeout(() => notice.remove(), kind === 'error' ? 12000 : 5000);
}

/** Runs something that may fail; what failed is shown. @param {() => any} run @returns {Promise<boolean>} */
export async function attempt(run) {
    try {
        await run();
        return true;
    } catch (error) {
        if (error instanceof DOMException && error.name === 'AbortError')
            return false;
        const lost = error instanceof TypeError && /fetch/i.test(error.message);
        notify(lost ? t('unreachable') : error instanceof Error ? error.message : String(error), 'error');
        return false;
    }
}

/**
 * A modal dialog that goes when it is closed.
 * @param {string} title @param {Child[]} content @param {{wide?: boolean, onClose?: () => void}} [options]
 */
export function openDialog(title, content, options = {}) {
    const id = uniqueId('title');
    const dialog = h('dialog', {className: options.wide ? 'wide' : '', 'aria-labelledby': id},
        h('header', {className: 'dialog-head'}, h('h2', {id}, title), button(t('close'), 'close', () => dialog.close(), {iconOnly: true, kind: 'quiet'})),
        h('div', {className: 'dialog-body'}, content));
    dialog.addEventListener('close', () => {
        if (dialog.contains(notices))
            document.body.append(notices);
        options.onClose?.();
        dialog.remove();
    });
    dialog.addEventListener('pointerdown', (event) => {
        if (event.target === dialog)
            dialog.close();
    });
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
}

/** @param {string} question @param {string} yes @returns {Promise<boolean>} */
export function confirmed(question, yes) {
    return new Promise((resolve) => {
        let answer = false;
        const dialog = openDialog(question, [h('div', {className: 'row end'},
            button(t('keep'), null, () => dialog.close(), {kind: 'quiet'}),
            button(yes, null, () => { answer = true; dialog.close(); }, {kind: 'danger'}))], {onClose: () => resolve(answer)});
    });
}

/** Asks for a line of text; null when it is not given. @param {string} title @param {string} label @param {string} action @param {boolean} [required] @returns {Promise<string | null>} */
export function askText(title, label, action, required = false) {
    return new Promise((resolve) => {
        /** @type {string | null} */
        let answer = null;
        const input = h('input', {type: 'text', required, maxLength: 400});
        const dialog = openDialog(title, [h('form', {className: 'stack', onsubmit: (/** @type {Event} */ e) => {
            e.preventDefault();
            answer = input.value.trim();
            dialog.close();
        }}, field(label, input), h('div', {className: 'row end'}, h('button', {type: 'submit', className: 'button primary'}, action)))],
        {onClose: () => resolve(answer)});
        input.focus();
    });
}

/** Files by dropping, pasting or choosing. @param {HTMLElement} element @param {(files: File[]) => any} take */
export function acceptDrop(element, take) {
    element.addEventListener('dragover', (event) => {
        if (event.dataTransfer?.types.includes('Files')) {
            event.preventDefault();
            element.classList.add('dropping');
        }
    });
    element.addEventListener('dragleave', () => element.classList.remove('dropping'));
    element.addEventListener('drop', (event) => {
        element.classList.remove('dropping');
        const files = [...(event.dataTransfer?.files ?? [])];
        if (files.length > 0) {
            event.preventDefault();
            attempt(() => take(files));
        }
    });
    element.addEventListener('paste', (event) => {
        const files = [...(event.clipboardData?.files ?? [])];
        if (files.length > 0) {
            event.preventDefault();
            attempt(() => take(files));
        }
    });
}

/** @param {string} accept @param {(files: File[]) => any} take */
export function chooseFile(accept, take) {
    const input = h('input', {type: 'file', accept, className: 'visually-hidden', tabIndex: -1, 'aria-hidden': 'true', onchange: () => {
        input.remove();
        attempt(() => take([...(input.files ?? [])]));
    }, oncancel: () => input.remove()});
    document.body.append(input);
    input.click();
}

export const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];
