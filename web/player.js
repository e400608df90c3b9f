// A published video, large.
import {contentUrl} from './api.js';
import {h, openDialog} from './dom.js';

/** @param {import('./api.js').Video} video @param {string} title */
export function openPlayer(video, title) {
    openDialog(title, [h('div', {className: 'stage'}, h('video', {src: contentUrl(video.id), controls: true, loop: true, autoplay: true, muted: true, playsInline: true, 'aria-label': title})),
        video.prompt ? h('p', null, video.prompt) : null], {wide: true});
}
