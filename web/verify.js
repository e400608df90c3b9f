// Any file: has it credentials, are they in order, was it made here?
import {api} from './api.js';
import {acceptDrop, button, chooseFile, fill, h, icon} from './dom.js';
import {date, t} from './i18n.js';

/** @param {any} answer of the server @returns {{kind: 'good' | 'bad' | 'none', text: string}} */
export function verdictOf(answer) {
    if (!answer.credentials)
        return {kind: 'none', text: t('no_credentials')};
    return answer.valid ? {kind: 'good', text: t(answer.validation_state === 'Trusted' ? 'credentials_trusted' : 'credentials_valid')} : {kind: 'bad', text: t('credentials_invalid')};
}

/** @param {string} action */
function actionName(action) {
    const names = /** @type {Record<string, import('./i18n.js').TextName>} */ ({'c2pa.created': 'action_created', 'c2pa.opened': 'action_opened', 'c2pa.edited': 'action_edited', 'c2pa.placed': 'action_placed'});
    return names[action] ? t(names[action]) : action;
}

/** @param {any} answer */
function manifestOf(answer) {
    const manifest = answer.manifests?.[answer.active_manifest];
    if (!manifest)
        return null;
    const failures = (answer.validation_results?.activeManifest?.failure ?? []).map((/** @type {any} */ f) => f.explanation ?? f.code);
    return h('dl', {className: 'parameters'},
        h('dt', null, t('signed_by')), h('dd', null, [manifest.signature?.common_name, manifest.signature?.issuer].filter(Boolean).join(', ')),
        h('dt', null, t('made_with')), h('dd', null, [manifest.claim_generator, manifest.actions?.[0]?.model].filter(Boolean).join(', ')),
        h('dt', null, t('what_happened')), h('dd', null, h('ol', null, (manifest.actions ?? []).map((/** @type {any} */ a) =>
            h('li', null, [actionName(a.action), a.when ? date(Date.parse(a.when) / 1000) : '', a.description].filter(Boolean).join(', '))))),
        (manifest.ingredients ?? []).length > 0 && [h('dt', null, t('made_from')), h('dd', null, manifest.ingredients.map((/** @type {any} */ i) => i.title ?? '?').join(', '))],
        failures.length > 0 && [h('dt', null, t('remarks')), h('dd', null, h('ul', null, failures.map((/** @type {string} */ f) => h('li', null, f))))]);
}

/** @param {any} answer */
function traceOf(answer) {
    if (!answer.found)
        return h('p', null, icon('again'), t('not_traced'));
    const best = answer.matches[0];
    return h('p', {className: 'good'}, t('traced', {model: best.model ?? '?', when: date(Date.parse(best.time) / 1000), score: Math.round(best.score * 100)}));
}

/** Asks both questions. @param {Blob} file @param {string} name @returns {Promise<Node[]>} */
export async function checkFile(file, name) {
    const named = new File([file], name, {type: file.type});
    const [verified, traced] = await Promise.allSettled([api.verify(named), api.trace(named)]);
    if (verified.status === 'rejected' && traced.status === 'rejected')
        throw verified.reason;
    const parts = [];
    if (verified.status === 'fulfilled') {
        const verdict = verdictOf(verified.value);
        parts.push(h('p', {className: `verdict ${verdict.kind}`}, icon(verdict.kind === 'good' ? 'verify' : verdict.kind === 'bad' ? 'close' : 'flag'), verdict.text));
        const manifest = manifestOf(verified.value);
        if (manifest)
            parts.push(manifest);
    }
    parts.push(traced.status === 'fulfilled' ? traceOf(traced.value) : h('p', {className: 'muted'}, t('trace_failed', {why: traced.reason.message})));
    return parts;
}

export function verifyView() {
    const answer = h('div', {className: 'stack', 'aria-live': 'polite'});
    const take = async (/** @type {File[]} */ files) => {
        fill(answer, h('p', {className: 'muted'}, t('checking')));
        try {
            const results = [];
            for (const file of files)
                results.push(h('article', {className: 'panel'}, h('h2', null, file.name), await checkFile(file, file.name)));
            fill(answer, ...results);
        } catch (error) {
            fill(answer);
            throw error;
        }
    };
    const zone = h('div', {className: 'dropzone'}, icon('verify'), h('p', null, t('drop_any')), button(t('choose_file'), null, () => chooseFile('video/*,image/*', take), {kind: 'primary'}));
    acceptDrop(zone, take);
    return {element: h('div', {className: 'view'}, h('h1', null, t('verify')), h('p', {className: 'lead'}, t('verify_help')), zone, answer)};
}
