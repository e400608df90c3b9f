// Painting with pointer or keys: masks over a picture, and pictures.
import {button, field, h, openDialog} from './dom.js';
import {t} from './i18n.js';

/** @typedef {{x: number, y: number}} Point of 0 to 1 */
/** @typedef {{points: Point[], width: number, colour: string, erase: boolean}} Stroke width as a part of the picture's */

/** The first frame of a video, or a picture. @param {string} url @returns {Promise<HTMLCanvasElement>} */
export function firstFrame(url) {
    const video = h('video', {muted: true, playsInline: true, preload: 'auto', src: url});
    return new Promise((resolve, reject) => {
        video.addEventListener('loadeddata', () => resolve(copyOf(video, video.videoWidth, video.videoHeight)), {once: true});
        video.addEventListener('error', () => reject(new Error(t('cannot_show'))), {once: true});
    });
}

/** @param {CanvasImageSource} source @param {number} width @param {number} height */
function copyOf(source, width, height) {
    const canvas = h('canvas', {width, height});
    canvas.getContext('2d')?.drawImage(source, 0, 0, width, height);
    return canvas;
}

/** @param {CanvasRenderingContext2D} context @param {Stroke} stroke */
function drawStroke(context, stroke) {
    const {width, height} = context.canvas;
    context.globalCompositeOperation = stroke.erase ? 'destination-out' : 'source-over';
    context.lineCap = context.lineJoin = 'round';
    context.lineWidth = stroke.width * width;
    context.strokeStyle = stroke.colour;
    context.beginPath();
    stroke.points.forEach((p, i) => i === 0 ? context.moveTo(p.x * width, p.y * height) : context.lineTo(p.x * width, p.y * height));
    if (stroke.points.length === 1)
        context.lineTo(stroke.points[0].x * width + 0.01, stroke.points[0].y * height);
    context.stroke();
}

/**
 * A canvas over a background that strokes are drawn on.
 * @param {HTMLCanvasElement} background @param {string} label @param {() => {width: number, colour: string, erase: boolean}} pen
 */
function easel(background, label, pen) {
    const canvas = h('canvas', {width: background.width, height: background.height, className: 'ink', tabIndex: 0, role: 'img', 'aria-label': label});
    const ring = h('div', {className: 'ring', hidden: true});
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    /** @type {Stroke[]} */
    let strokes = [];
    /** @type {Stroke | null} */
    let current = null;
    const at = {x: 0.5, y: 0.5};
    const redraw = () => {
        context.globalCompositeOperation = 'source-over';
        context.clearRect(0, 0, canvas.width, canvas.height);
        strokes.forEach((s) => drawStroke(context, s));
    };
    const point = (/** @type {PointerEvent} */ e) => {
        const box = canvas.getBoundingClientRect();
        return {x: (e.clientX - box.left) / box.width, y: (e.clientY - box.top) / box.height};
    };
    canvas.addEventListener('pointerdown', (e) => {
        canvas.setPointerCapture(e.pointerId);
        current = {...pen(), points: [point(e)]};
        strokes.push(current);
        redraw();
    });
    canvas.addEventListener('pointermove', (e) => {
        current?.points.push(point(e));
        if (current)
            redraw();
    });
    canvas.addEventListener('pointerup', () => { current = null; });
    canvas.addEventListener('pointercancel', () => { current = null; });
    const placeRing = () => {
        ring.hidden = false;
        ring.style.left = `${at.x * 100}%`;
        ring.style.top = `${at.y * 100}%`;
        ring.style.width = `${pen().width * 100}%`;
    };
    canvas.addEventListener('focus', () => { if (canvas.matches(':focus-visible')) placeRing(); });
    canvas.addEventListener('blur', () => { ring.hidden = true; });
    canvas.addEventListener('keydown', (e) => {
        const step = e.shiftKey ? 0.01 : 0.04;
        const moves = /** @type {Record<string, [number, number]>} */ ({ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step]});
        if (moves[e.key]) {
            at.x = Math.min(1, Math.max(0, at.x + moves[e.key][0]));
            at.y = Math.min(1, Math.max(0, at.y + moves[e.key][1]));
        } else if (e.key === ' ' || e.key === 'Enter') {
            strokes.push({...pen(), points: [{...at}]});
            redraw();
        } else {
            return;
        }
        placeRing();
        e.preventDefault();
    });
    background.className = 'paper';
    return {
        element: h('div', {className: 'easel'}, background, canvas, ring), canvas,
        undo() { strokes.pop(); redraw(); },
        clear() { strokes = []; redraw(); },
        empty: () => strokes.length === 0,
    };
}

/** @param {HTMLCanvasElement} canvas @param {string} name */
function fileOf(canvas, name) {
    const bytes = Uint8Array.from(atob(canvas.toDataURL('image/png').split(',')[1]), (c) => c.charCodeAt(0));
    return new File([bytes], name, {type: 'image/png'});
}

/** @param {number} start */
function brushSize(start) {
    return h('input', {type: 'range', min: 1, max: 40, step: 1, value: String(start)});
}

/** White is what will be made anew. @param {HTMLCanvasElement} picture */
export function maskPainter(picture) {
    const size = brushSize(14);
    let erase = false, inverted = false;
    const board = easel(picture, t('mask_canvas'), () => ({width: Number(size.value) / 100, colour: '#fff', erase}));
    board.element.classList.add('masking');
    const toggle = (/** @type {HTMLButtonElement} */ b, /** @type {boolean} */ on) => b.setAttribute('aria-pressed', String(on));
    const eraser = button(t('erase'), 'close', () => toggle(eraser, erase = !erase), {pressed: false});
    const invert = button(t('invert'), 'theme', () => {
        toggle(invert, inverted = !inverted);
        board.element.classList.toggle('inverted', inverted);
    }, {pressed: false});
    return {
        element: h('div', {className: 'stack'}, board.element, h('div', {className: 'row wrap'}, field(t('brush'), size), eraser, invert,
            button(t('undo'), 'undo', () => board.undo()), button(t('clear'), 'trash', () => board.clear()))),
        /** Null: nothing was painted. @returns {File | null} */
        mask() {
            if (board.empty())
                return null;
            const {width, height} = board.canvas, out = h('canvas', {width, height});
            const context = /** @type {CanvasRenderingContext2D} */ (out.getContext('2d'));
            context.fillStyle = '#000';
            context.fillRect(0, 0, width, height);
            context.drawImage(board.canvas, 0, 0);
            if (inverted) {
                context.globalCompositeOperation = 'difference';
                context.fillStyle = '#fff';
                context.fillRect(0, 0, width, height);
            }
            return fileOf(out, 'mask.png');
        },
    };
}

/** @param {File} file @param {string} help @returns {Promise<File | null>} */
export async function paintMask(file, help) {
    const bitmap = await createImageBitmap(file), painter = maskPainter(copyOf(bitmap, bitmap.width, bitmap.height));
    return new Promise((resolve) => {
        /** @type {File | null} */
        let mask = null;
        const dialog = openDialog(t('mask'), [h('p', {className: 'muted'}, help), painter.element, h('div', {className: 'row end'},
            button(t('use_it'), null, () => { mask = painter.mask(); dialog.close(); }, {kind: 'primary'}))], {wide: true, onClose: () => resolve(mask)});
    });
}

const COLOURS = ['#1d2433', '#ffffff', '#d94a3d', '#f2a33a', '#f5d94c', '#4e9f50', '#3b7dd8', '#7b5bc4', '#e58bb1', '#8a5a3b'];

/** @param {number} width @param {number} height @returns {Promise<File | null>} */
export function paintPicture(width, height) {
    const paper = h('canvas', {width, height}), context = /** @type {CanvasRenderingContext2D} */ (paper.getContext('2d'));
    const size = brushSize(6);
    const ground = h('input', {type: 'color', value: '#bfe0f5', oninput: () => paintGround()});
    const paintGround = () => {
        context.fillStyle = ground.value;
        context.fillRect(0, 0, width, height);
    };
    paintGround();
    const colour = h('input', {type: 'color', value: COLOURS[0]});
    const board = easel(paper, t('picture_canvas'), () => ({width: Number(size.value) / 100, colour: colour.value, erase: false}));
    const palette = h('div', {className: 'palette', role: 'group', 'aria-label': t('colours')}, COLOURS.map((c) => {
        const b = h('button', {type: 'button', className: 'swatch', 'aria-label': c, onclick: () => { colour.value = c; }});
        b.style.background = c;
        return b;
    }));
    return new Promise((resolve) => {
        /** @type {File | null} */
        let file = null;
        const dialog = openDialog(t('draw'), [board.element, palette, h('div', {className: 'row wrap'}, field(t('colour'), colour), field(t('ground'), ground), field(t('brush'), size),
            button(t('undo'), 'undo', () => board.undo()), button(t('clear'), 'trash', () => board.clear())),
        h('div', {className: 'row end'}, button(t('use_it'), null, () => {
            context.drawImage(board.canvas, 0, 0);
            file = fileOf(paper, 'drawing.png');
            dialog.close();
        }, {kind: 'primary'}))], {wide: true, onClose: () => resolve(file)});
    });
}
