// One video in full: played, its parameters, and what can be made of it.
import {api, contentUrl} from './api.js';
import {announce, askText, button, fill, h, icon, notify, openDialog} from './dom.js';
import {date, t} from './i18n.js';
import {credentialsBadge} from './credentials.js';
import {isOpen, onVideo, tell, watch} from './jobs.js';
import {emerging, factsOf, operationName, progressText, removeVideo, titleOf} from './library.js';

/** @typedef {import('./api.js').Video} Video */
/** @typedef {import('./create.js').Studio} Studio */

/** @param {Video} video @returns {[string, string][]} */
function parametersOf(video) {
    const d = video.details;
    /** @type {[string, string | number | null | undefined][]} */
    const all = [[t('operation'), d.operation && d.operation !== 'generate' ? operationName(d.operation) : ''], [t('model'), video.model], [t('seed'), d.seed],
        [t('size'), d.width && d.height ? `${d.width}×${d.height}` : video.size], [t('frames'), d.frames ? `${d.frames}, ${Number(d.fps?.toFixed(2))} / s` : ''],
        [t('steps'), d.steps || ''], [t('guidance'), d.guidance !== undefined && d.guidance >= 0 ? d.guidance : ''], [t('negative'), d.negative],
        [t('strength'), d.operation === 'remix' || d.operation === 'fill' ? d.strength : ''], [t('made_in'), d.took ? `${d.took.toFixed(1)} s` : ''],
        [t('made_at'), date(video.created_at)], [t('expires_at'), date(video.expires_at)]];
    return all.filter(([, value]) => value !== '' && value !== null && value !== undefined).map(([name, value]) => [name, String(value)]);
}

/** @param {Video} video */
function stageOf(video) {
    if (video.status === 'completed')
        return h('video', {src: contentUrl(video.id), poster: contentUrl(video.id, 'thumbnail'), controls: true, loop: true, autoplay: true, muted: true,
            playsInline: true, 'aria-label': titleOf(video)});
    if (!isOpen(video))
        return h('p', {className: 'wrong'}, video.error?.message ?? t('failed'));
    return h('div', {className: 'stack'},
        emerging(video),
        h('progress', {max: 100, ...(video.status === 'queued' ? {} : {value: video.progress}), 'aria-label': t('progress_of', {title: titleOf(video)})}),
        h('p', {className: 'muted'}, progressText(video)));
}

/** @param {Video} video @param {Studio} studio @param {() => void} onClose @param {(video: Video) => void} reuse */
export function openDetail(video, studio, onClose, reuse) {
    const stage = h('div', {className: 'stage'}), side = h('div', {className: 'side'}), tools = h('div', {className: 'tool-form'});
    const dialog = openDialog(titleOf(video), [h('div', {className: 'detail'}, stage, side), tools], {wide: true, onClose: () => { stop(); onClose(); }});
    const show = (/** @type {Video} */ v) => {
        fill(stage, stageOf(v));
        fill(side, ...sideOf(v, dialog, tools, studio, reuse));
    };
    let shown = video;
    const stop = onVideo((v) => {
        if (v.id !== video.id)
            return;
        if (isOpen(shown) || shown.status !== v.status)
            show(v);
        else
            fill(side, ...sideOf(v, dialog, tools, studio, reuse));
        shown = v;
    });
    show(video);
    watch(video);
}

/** @param {Video} video @param {HTMLDialogElement} dialog @param {HTMLElement} tools @param {Studio} studio @param {(video: Video) => void} reuse */
function sideOf(video, dialog, tools, studio, reuse) {
    const credentials = h('div', {'aria-live': 'polite'});
    const passages = video.details.passages ?? [];
    const notes = (video.details.notes ?? []).map((n) => typeof n === 'string' ? n : n.text);
    const done = video.status === 'completed';
    return [
        h('p', {className: 'facts'}, factsOf(video)),
        passages.length > 0 && h('ol', {className: 'passages'}, passages.map((p) => h('li', null, `${p.from} s: ${p.prompt}`))),
        done && h('div', {className: 'row'}, credentialsBadge(video.id, credentials), video.details.published && h('span', {className: 'tag'}, t('published'))),
        credentials,
        notes.map((n) => h('p', {className: 'note'}, n)),
        h('dl', {className: 'parameters'}, parametersOf(video).map(([name, value]) => [h('dt', null, name), h('dd', null, value)]).flat()),
        h('div', {className: 'row wrap'},
            button(t('use_again'), 'again', () => { dialog.close(); reuse(video); }, {kind: 'primary'}),
            done && h('a', {className: 'button', href: contentUrl(video.id), download: `${video.id}.mp4`}, icon('download'), h('span', null, t('download'))),
            done && button(t(video.details.published ? 'unpublish' : 'publish'), 'share', () => publish(video)),
            isOpen(video) && button(t('cancel'), 'close', async () => tell(await api.cancel(video.id))),
            button(t('delete'), 'trash', async () => { if (await removeVideo(video)) dialog.close(); }, {iconOnly: true, kind: 'quiet'})),
        done && toolBar({video}, tools, studio, () => dialog.close()),
    ];
}

/** @param {Video} video */
async function publish(video) {
    if (video.details.published) {
        await api.unpublish(video.id);
    } else {
        const title = await askText(t('publish'), t('title_optional'), t('publish'));
        if (title === null)
            return;
        await api.publish(video.id, title);
    }
    tell(await api.video(video.id));
    announce(t(video.details.published ? 'unpublished' : 'is_published'));
    notify(t(video.details.published ? 'unpublished' : 'is_published'));
}

/** @param {import('./tools.js').Source} source @param {HTMLElement} place @param {Studio} studio @param {() => void} close */
function toolBar(source, place, studio, close) {
    return h('div', {className: 'tool-bar', role: 'group', 'aria-label': t('make_of_it')}, /** @type {const} */ (['remix', 'extend', 'loop', 'blend', 'fill', 'recut']).map((name) =>
        button(t(name), name, async () => {
            const {toolForm} = await import('./tools.js');
            fill(place, await toolForm(name, source, studio, close));
            place.scrollIntoView({block: 'nearest', behavior: 'smooth'});
            /** @type {HTMLElement | null} */ (place.querySelector('textarea, input, button'))?.focus({preventScroll: true});
        }, {kind: 'tool'})));
}
export {toolBar};
