// The badge of a video that carries content credentials.
import {contentUrl} from './api.js';
import {attempt, fill, h, icon} from './dom.js';
import {t} from './i18n.js';

/** The badge that says that a video carries credentials; pressing it has them checked. @param {string} id @param {HTMLElement} place where the answer goes */
export function credentialsBadge(id, place) {
    const badge = h('button', {type: 'button', className: 'badge', 'aria-expanded': 'false', onclick: () => attempt(async () => {
        const open = badge.getAttribute('aria-expanded') === 'true';
        badge.setAttribute('aria-expanded', String(!open));
        if (open) {
            fill(place);
            return;
        }
        fill(place, h('p', {className: 'muted'}, t('checking')));
        const {checkFile} = await import('./verify.js');
        const file = await (await fetch(contentUrl(id))).blob();
        fill(place, ...await checkFile(file, `${id}.mp4`));
    })}, icon('verify'), h('span', null, t('credentials')));
    return badge;
}
