// Videos made of videos: a form for each operation.
import {api, contentUrl} from './api.js';
import {acceptDrop, button, chooseFile, field, fill, h, notify, numberField, openDialog, randomSeed, select} from './dom.js';
import {t} from './i18n.js';
import {tell, watch} from './jobs.js';
import {titleOf} from './library.js';
import {promptField} from './prompt.js';
import {toolBar} from './detail.js';

/** @typedef {import('./api.js').Video} Video */
/** @typedef {import('./create.js').Studio} Studio */
/** @typedef {{video?: Video, file?: File}} Source one of the two */
/** @typedef {'remix' | 'extend' | 'loop' | 'blend' | 'fill' | 'recut'} ToolName */
/** @typedef {{elements: (Node | null | false)[], fields: () => Record<string, any>, ready?: Promise<unknown>}} Part what an operation adds to the form */

/** @param {Source} source */
export const urlOf = (source) => source.file ? URL.createObjectURL(source.file) : contentUrl(source.video?.id ?? '');

/** For a video that was dropped in. @param {File} file @param {Studio} studio */
export function openFileTools(file, studio) {
    const place = h('div', {className: 'tool-form'}), url = URL.createObjectURL(file);
    const dialog = openDialog(file.name, [h('div', {className: 'stage'}, h('video', {src: url, controls: true, muted: true, loop: true, autoplay: true, 'aria-label': file.name}))],
        {wide: true, onClose: () => URL.revokeObjectURL(url)});
    dialog.querySelector('.dialog-body')?.append(toolBar({file}, place, studio, () => dialog.close()), place);
}

/** @param {Video} video @param {ToolName} name @param {Studio} studio */
export async function openTool(video, name, studio) {
    const place = h('div', {className: 'tool-form'});
    const dialog = openDialog(`${t(name)}: ${titleOf(video)}`, [place], {wide: true});
    fill(place, await toolForm(name, {video}, studio, () => dialog.close()));
}

/** @type {Record<ToolName, (source: Source, studio: Studio) => Promise<Part> | Part>} */
const PARTS = {remix: remixPart, extend: extendPart, loop: loopPart, blend: blendPart, fill: fillPart, recut: recutPart};

/** @param {ToolName} name @param {Source} source @param {Studio} studio @param {() => void} close */
export async function toolForm(name, source, studio, close) {
    const part = await PARTS[name](source, studio);
    const words = promptField({label: t(name === 'remix' || name === 'fill' ? 'new_words' : 'words_optional'), rows: 2});
    const model = source.video?.model ?? studio.models[0]?.id;
    if (model)
        words.use(model);
    words.set(source.video?.prompt ?? '');
    const seed = numberField('', {min: 0, max: 4294967295, step: 1, placeholder: t('random')});
    return h('form', {className: 'stack tool', onsubmit: (/** @type {Event} */ e) => e.preventDefault()},
        h('h3', null, t(name)), h('p', {className: 'muted'}, t(`${name}_help`)), words.element, part.elements, h('div', {className: 'knobs'}, field(t('seed'), seed)),
        h('div', {className: 'row end'}, button(t(`${name}_do`), name, async () => {
            const video = await api.studio({operation: name, prompt: words.value(), model, seed: seed.value || randomSeed(), ...sourceFields(source), ...part.fields()});
            tell(video);
            watch(video);
            notify(t('begun_one'));
            close();
            location.hash = '#/';
        }, {kind: 'primary'})));
}

/** @param {Source} source */
const sourceFields = (source) => source.video ? {videos: [{id: source.video.id}]} : {video: source.file};

/** @returns {Part} */
function remixPart() {
    const strength = h('input', {type: 'range', min: 0.1, max: 1, step: 0.05, value: '0.6'}), shown = h('output', null, '0.6');
    const presets = /** @type {[import('./i18n.js').TextName, number][]} */ ([['subtle', 0.4], ['mild', 0.6], ['strong', 0.8]]);
    const set = (/** @type {number} */ value) => { strength.value = String(value); shown.textContent = strength.value; };
    strength.addEventListener('input', () => set(Number(strength.value)));
    return {elements: [h('div', {className: 'row wrap'}, presets.map(([name, value]) => button(t(name), null, () => set(value)))), field(t('strength'), strength, t('strength_help')), shown],
        fields: () => ({strength: strength.value})};
}

/** @returns {Part} */
function extendPart() {
    const seconds = numberField(2, {min: 0.5, max: 60, step: 0.5}), where = select([['end', t('at_end')], ['start', t('at_start')]], 'end');
    return {elements: [h('div', {className: 'knobs'}, field(t('seconds'), seconds), field(t('where'), where))],
        fields: () => ({seconds: seconds.value, at_start: where.value === 'start'})};
}

/** @returns {Part} */
function loopPart() {
    const seconds = numberField(1, {min: 0.5, max: 60, step: 0.5});
    return {elements: [h('div', {className: 'knobs'}, field(t('bridge_seconds'), seconds))], fields: () => ({seconds: seconds.value})};
}

/** @param {Source} source @returns {Promise<Part>} */
async function blendPart(source) {
    const others = (await api.videos({limit: 100})).data.filter((v) => v.status === 'completed' && v.id !== source.video?.id);
    /** @type {File | null} */
    let file = null;
    const chosen = h('p', {className: 'muted'});
    const other = select([...(source.file ? [] : others.map((v) => /** @type {[string, string]} */ ([v.id, titleOf(v).slice(0, 80)]))), ['', t('a_file')]], others[0]?.id ?? '');
    const take = (/** @type {File[]} */ files) => {
        file = files[0];
        other.value = '';
        chosen.textContent = file.name;
    };
    const seconds = numberField(2, {min: 0.5, max: 60, step: 0.5});
    const curve = select([['bridge', t('curve_bridge')], ['linear', t('curve_linear')], ['smooth', t('curve_smooth')], ['early', t('curve_early')], ['late', t('curve_late')]], 'bridge');
    const box = h('div', {className: 'row wrap drop'}, field(t('blend_with'), other), button(t('choose_file'), 'picture', () => chooseFile('video/*', take)), chosen);
    acceptDrop(box, take);
    return {elements: [box, h('div', {className: 'knobs'}, field(t('bridge_seconds'), seconds), field(t('curve'), curve))], fields: () => {
        if (!other.value && !file)
            throw new Error(t('blend_missing'));
        const second = other.value ? {videos: [{id: source.video?.id}, {id: other.value}]} : source.file ? {video_2: file} : {video: file};
        return {...second, seconds: seconds.value, curve: curve.value};
    }};
}

/** @param {Source} source @returns {Promise<Part>} */
async function fillPart(source) {
    const {maskPainter, firstFrame} = await import('./paint.js');
    const painter = maskPainter(await firstFrame(urlOf(source)));
    /** @type {File | null} */
    let file = null;
    const chosen = h('p', {className: 'muted'});
    const take = (/** @type {File[]} */ files) => { file = files[0]; chosen.textContent = t('mask_is', {name: file.name}); };
    acceptDrop(painter.element, take);
    return {elements: [painter.element, h('div', {className: 'row wrap'}, button(t('mask_file'), 'picture', () => chooseFile('image/*,video/*', take)), chosen)], fields: () => {
        const mask = file ?? painter.mask();
        if (!mask)
            throw new Error(t('mask_missing'));
        return {mask};
    }};
}

/** @param {Source} source @returns {Promise<Part>} */
async function recutPart(source) {
    const {timeline} = await import('./timeline.js');
    const line = await timeline(urlOf(source));
    return {elements: [line.element], fields: line.fields};
}
