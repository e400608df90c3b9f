// The first view: one line, what belongs to it, and below it all that was made.
import {api} from './api.js';
import {acceptDrop, announce, attempt, button, chooseFile, field, fill, h, notify, numberField, randomSeed, select} from './dom.js';
import {t} from './i18n.js';
import {tell, watch} from './jobs.js';
import {library} from './library.js';
import {promptField} from './prompt.js';

/** @typedef {import('./api.js').Video} Video */
/** @typedef {import('./api.js').Model} Model */
/** @typedef {{name: string, prompt: string, negative?: string, about: string}} Style */
/** @typedef {{models: Model[], styles: Style[], openVideo: (video: Video) => void, openTools: (source: File) => void}} Studio */

/** Shapes that a model makes in about the pixels of its default, and its largest. @param {Model | undefined} model @returns {[string, string][]} */
export function sizesOf(model) {
    const d = model?.details;
    if (!d?.width || !d.height)
        return [['1280x720', `${t('wide')} 1280×720`], ['720x1280', `${t('tall')} 720×1280`]];
    const multiple = d.multiple || 16, area = d.width * d.height;
    /** @type {[string, string][]} */
    const sizes = [];
    const add = (/** @type {string} */ name, /** @type {number} */ width, /** @type {number} */ height) => {
        const w = Math.round(width / multiple) * multiple, tall = Math.round(height / multiple) * multiple;
        if (!sizes.some(([value]) => value === `${w}x${tall}`))
            sizes.push([`${w}x${tall}`, `${name} ${w}×${tall}`]);
    };
    const shapes = /** @type {[string, number][]} */ ([[t('square'), 1], [t('wide'), 16 / 9], [t('tall'), 9 / 16]]);
    const own = d.width / d.height;
    shapes.sort((a, b) => Math.abs(Math.log(a[1] / own)) - Math.abs(Math.log(b[1] / own)));
    for (const [name, ratio] of shapes) {
        let width = Math.sqrt(area * ratio), height = width / ratio;
        const most = d.most_side || Infinity, over = Math.max(width, height) / most;
        if (over > 1) {
            width /= over;
            height /= over;
        }
        add(name, width, height);
    }
    return sizes;
}

/** Seconds of the model's own length. @param {Model | undefined} model */
export function lengthOf(model) {
    const d = model?.details;
    return d?.frames && d.fps ? Math.max(0.5, Math.round(d.frames / d.fps * 2) / 2) : 4;
}

/** @param {string} prompt @param {Style | undefined} style */
const styled = (prompt, style) => style ? `${prompt}${prompt ? ', ' : ''}${style.prompt}` : prompt;

/** Files that go with the words. */
class Attachments {
    /** @param {HTMLElement} box @param {(file: File) => void} onVideo */
    constructor(box, onVideo) {
        this.box = box;
        this.onVideo = onVideo;
        /** @type {Record<'first' | 'last' | 'mask', File | null>} */
        this.files = {first: null, last: null, mask: null};
    }

    /** @param {File[]} files */
    take(files) {
        for (const file of files) {
            if (file.type.startsWith('video/'))
                this.onVideo(file);
            else if (file.type.startsWith('image/'))
                this.put(this.files.first ? 'last' : 'first', file);
            else
                throw new Error(t('not_media', {name: file.name}));
        }
    }

    /** @param {'first' | 'last' | 'mask'} use @param {File | null} file */
    put(use, file) {
        this.files[use] = file;
        if (use === 'first' && file === null)
            this.files = {first: this.files.last, last: null, mask: null};
        this.show();
    }

    show() {
        fill(this.box, ...Object.entries(this.files).map(([name, file]) => file && this.chip(/** @type {'first' | 'last' | 'mask'} */ (name), file)));
        this.box.hidden = this.files.first === null;
    }

    /** @param {'first' | 'last' | 'mask'} use @param {File} file */
    chip(use, file) {
        const url = URL.createObjectURL(file), label = t(use === 'first' ? 'first_picture' : use === 'last' ? 'last_picture' : 'mask');
        return h('div', {className: 'attachment'}, h('img', {src: url, alt: '', onload: () => URL.revokeObjectURL(url)}), h('span', null, label),
            use === 'first' && button(t('paint_motion'), 'brush', () => this.paintMask(file), {kind: 'quiet small'}),
            button(t('remove_what', {what: label}), 'close', () => this.put(use, null), {iconOnly: true, kind: 'quiet small'}));
    }

    /** @param {File} file */
    async paintMask(file) {
        const {paintMask} = await import('./paint.js');
        const mask = await paintMask(file, t('paint_motion_help'));
        if (mask)
            this.put('mask', mask);
    }

    clear() {
        this.files = {first: null, last: null, mask: null};
        this.show();
    }
}

/** @param {Studio} studio */
export function createView(studio) {
    const model = {current: studio.models[0]};
    const line = promptField({label: t('prompt_label'), hideLabel: true, placeholder: t('prompt_placeholder'), onSubmit: () => submit()});
    const attachments = new Attachments(h('div', {className: 'attachments', hidden: true}), studio.openTools);
    const knobs = knobsFor(studio, model, line);
    const submit = () => attempt(async () => {
        const count = Number(knobs.variations.value), seed = knobs.seed.value === '' ? randomSeed() : Number(knobs.seed.value);
        const fields = knobs.fields(line.value());
        if (!fields.prompt && !attachments.files.first) {
            line.input.focus();
            throw new Error(t('prompt_missing'));
        }
        make.disabled = true;
        try {
            for (let i = 0; i < count; i++)
                await begin({...fields, seed: seed + i}, attachments.files);
            announce(t('begun', {n: count}));
        } finally {
            make.disabled = false;
        }
    });
    const make = button(t('make'), 'create', submit, {kind: 'primary large'});
    const composer = h('section', {className: 'composer', 'aria-label': t('make_a_video')},
        attachments.box, h('div', {className: 'composer-line'}, line.element, make),
        h('div', {className: 'knobs'}, knobs.elements,
            h('div', {className: 'row'},
                button(t('picture_or_video'), 'picture', () => chooseFile('image/*,video/*', (files) => attachments.take(files)), {kind: 'quiet'}),
                button(t('draw'), 'brush', () => draw(attachments, knobs.size.value), {kind: 'quiet'}))),
        knobs.more);
    acceptDrop(composer, (files) => attachments.take(files));
    const shelf = library({open: studio.openVideo, reuse: (video) => reuse(video)});
    /** @param {Video} video */
    const reuse = (video) => {
        attachments.clear();
        line.set(video.prompt ?? (video.details.passages ?? []).map((p) => p.prompt).join(', '));
        knobs.set(video);
        line.input.focus();
        composer.scrollIntoView({block: 'center', behavior: 'smooth'});
        notify(t(video.remixed_from_video_id ? 'reused_without_video' : 'reused'));
    };
    return {
        element: h('div', {className: 'view create'}, h('div', {className: 'hero'}, h('h1', null, t('hero'))), composer, shelf.element),
        reuse, stop: shelf.stop, focus: () => line.input.focus({preventScroll: true}),
        /** @param {string} text */
        setPrompt: (text) => line.set(text),
    };
}

/** @param {Record<string, any>} fields @param {Record<'first' | 'last' | 'mask', File | null>} files */
async function begin(fields, files) {
    const video = files.first && files.mask
        ? await api.studio({...fields, operation: 'fill', picture_1: files.first, mask: files.mask})
        : await api.create({...fields, input_reference: files.first, last_reference: files.last});
    tell(video);
    watch(video);
}

/** @param {Attachments} attachments @param {string} size */
async function draw(attachments, size) {
    const {paintPicture} = await import('./paint.js');
    const [width, height] = size.split('x').map(Number);
    const file = await paintPicture(width, height);
    if (file)
        attachments.put(attachments.files.first ? 'last' : 'first', file);
}

/** Size, seconds, style, seed, variations, and below "more" what few need. @param {Studio} studio @param {{current: Model | undefined}} model @param {ReturnType<typeof promptField>} line */
function knobsFor(studio, model, line) {
    const size = select([], ''), seconds = numberField(lengthOf(model.current), {min: 0.5, max: 120, step: 0.5});
    const style = select([['', t('no_style')], ...studio.styles.map((s) => /** @type {[string, string]} */ ([s.name, s.name]))], '');
    const variations = select(['1', '2', '3', '4'].map((n) => [n, n]), '1');
    const seed = numberField('', {min: 0, max: 4294967295, step: 1, placeholder: t('random')});
    const negative = h('input', {type: 'text'}), steps = numberField('', {min: 1, max: 1000, step: 1, placeholder: t('model_own')});
    const guidance = numberField('', {min: 0, max: 100, placeholder: t('model_own')});
    const models = select(studio.models.map((m) => [m.id, m.id]), model.current?.id ?? '', (id) => {
        model.current = studio.models.find((m) => m.id === id);
        apply();
    });
    const apply = () => {
        fill(size, ...sizesOf(model.current).map(([value, label]) => h('option', {value}, label)));
        seconds.value = String(lengthOf(model.current));
        if (model.current)
            line.use(model.current.id);
    };
    apply();
    const seedBox = h('div', {className: 'with-button'}, seed, button(t('roll_seed'), 'dice', () => { seed.value = String(randomSeed()); }, {iconOnly: true, kind: 'quiet small'}));
    const elements = [field(t('size'), size), field(t('seconds'), seconds), studio.styles.length > 0 && field(t('style'), style),
        field(t('variations'), variations), h('div', {className: 'field'}, h('label', {htmlFor: seed.id ||= 'seed'}, t('seed')), seedBox)];
    const more = h('details', {className: 'more'}, h('summary', null, t('more_options')), h('div', {className: 'knobs'},
        studio.models.length > 1 && field(t('model'), models), field(t('negative'), negative), field(t('steps'), steps), field(t('guidance'), guidance)));
    return {
        elements, more, size, seed, variations,
        /** @param {string} prompt */
        fields(prompt) {
            const chosen = studio.styles.find((s) => s.name === style.value);
            return {prompt: styled(prompt, chosen), model: model.current?.id, size: size.value, seconds: seconds.value, steps: steps.value,
                guidance_scale: guidance.value, negative_prompt: [negative.value.trim(), chosen?.negative].filter(Boolean).join(', ')};
        },
        /** @param {Video} video */
        set(video) {
            const d = video.details;
            if (![...size.options].some((o) => o.value === video.size))
                size.append(h('option', {value: video.size}, video.size.replace('x', '×')));
            size.value = video.size;
            seconds.value = video.seconds;
            style.value = '';
            variations.value = '1';
            seed.value = d.seed ?? '';
            negative.value = d.negative ?? '';
            steps.value = d.steps ? String(d.steps) : '';
            guidance.value = d.guidance !== undefined && d.guidance >= 0 ? String(d.guidance) : '';
            if (negative.value || steps.value || guidance.value)
                more.open = true;
        },
    };
}

