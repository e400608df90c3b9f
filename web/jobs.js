// What is being made: asked for once a second while there is anything, told to whoever listens.
import {api} from './api.js';

/** @typedef {import('./api.js').Video} Video */

/** @type {Map<string, Video>} */
const running = new Map();
/** When a job was first seen in progress, and how far it was. @type {Map<string, {at: number, progress: number}>} */
const begun = new Map();
/** @type {Set<(video: Video) => void>} */
const listeners = new Set();
let timer = 0;

/** @param {Video} video */
export const isOpen = (video) => video.status === 'queued' || video.status === 'in_progress';

/** Until the returned function is called. @param {(video: Video) => void} listener */
export function onVideo(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

/** @param {Video} video */
export function tell(video) {
    for (const listener of [...listeners])
        listener(video);
}

/** @param {Video} video */
export function watch(video) {
    if (!isOpen(video))
        return;
    running.set(video.id, video);
    timer ||= window.setTimeout(look, 400);
}

async function look() {
    await Promise.all([...running.values()].map(async (old) => {
        try {
            const video = await api.video(old.id);
            if (video.status === 'in_progress' && !begun.has(video.id))
                begun.set(video.id, {at: Date.now(), progress: video.progress});
            if (isOpen(video))
                running.set(video.id, video);
            else
                running.delete(video.id);
            tell(video);
        } catch (error) {
            if (error instanceof Error && 'status' in error && error.status === 404)
                running.delete(old.id);
        }
    }));
    timer = running.size > 0 ? window.setTimeout(look, document.hidden ? 5000 : 1000) : 0;
}

/** Seconds until it is finished, from how fast it has gone so far; null: nothing can be said yet. @param {Video} video */
export function secondsLeft(video) {
    const start = begun.get(video.id);
    if (!start || video.progress - start.progress < 3)
        return null;
    const perPercent = (Date.now() - start.at) / 1000 / (video.progress - start.progress);
    return Math.max(1, Math.round(perPercent * (100 - video.progress)));
}

/** Resolves when it is over. @param {Video} video @param {(video: Video) => void} [onStep] @param {AbortSignal} [signal] @returns {Promise<Video>} */
export function finished(video, onStep, signal) {
    return new Promise((resolve, reject) => {
        const stop = onVideo((v) => {
            if (v.id !== video.id)
                return;
            onStep?.(v);
            if (!isOpen(v)) {
                stop();
                resolve(v);
            }
        });
        signal?.addEventListener('abort', () => { stop(); reject(new DOMException('', 'AbortError')); });
        if (isOpen(video))
            watch(video);
        else
            tell(video);
    });
}
