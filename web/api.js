// What the server is asked, in one place. Every answer that is no success becomes an ApiError with the server's own sentence.

/**
 * @typedef {object} Details what the server adds to OpenAI's VideoResource
 * @property {string} [operation] @property {string} [negative] @property {number} [steps] @property {number} [guidance]
 * @property {string} [seed] @property {number} [strength] @property {{prompt: string, from: number}[]} [passages]
 * @property {number} [from] @property {number} [to] @property {number} [before] @property {number} [after]
 * @property {boolean} [at_start] @property {number} [width] @property {number} [height] @property {number} [frames]
 * @property {number} [fps] @property {number} [length] @property {number} [took]
 * @property {({about?: string, text: string} | string)[]} [notes] @property {string} [trace_id]
 * @property {boolean} published @property {string | null} title @property {number} likes @property {boolean} featured
 * @property {boolean} preview @property {number} [queue_position]
 */

/**
 * @typedef {object} Video
 * @property {string} id @property {string} model @property {'queued' | 'in_progress' | 'completed' | 'failed'} status
 * @property {number} progress @property {number} created_at @property {number | null} completed_at
 * @property {number | null} expires_at @property {string | null} prompt @property {string} size @property {string} seconds
 * @property {string | null} remixed_from_video_id @property {{code: string, message: string} | null} error
 * @property {Details} details
 */

/** @typedef {{data: Video[], has_more: boolean, last_id: string | null}} VideoList */

/**
 * @typedef {object} Key
 * @property {string} id @property {string} name @property {string} hint @property {string} scopes @property {string | null} plan
 * @property {number | null} created_at @property {number | null} revoked_at @property {string} [key]
 * @property {Record<string, unknown>} [limits] @property {{day: number, videos: number, credits: number}[]} [usage]
 */

/**
 * @typedef {object} Model
 * @property {string} id @property {Record<string, any>} [details]
 */

export class ApiError extends Error {
    /** @param {number} status @param {string} message @param {string | null} code @param {string | null} param */
    constructor(status, message, code, param) {
        super(message);
        this.status = status;
        this.code = code;
        this.param = param;
    }
}

/** Called when the server wants a key. @type {() => void} */
let onLocked = () => {};

/** @param {() => void} listener */
export function whenLocked(listener) {
    onLocked = listener;
}

/** @param {Response} response */
async function errorOf(response) {
    try {
        const error = (await response.json()).error;
        return new ApiError(response.status, error.message, error.code, error.param);
    } catch {
        return new ApiError(response.status, `${response.status} ${response.statusText}`, null, null);
    }
}

/**
 * @param {string} method @param {string} path
 * @param {{json?: unknown, form?: FormData, key?: string, quiet?: boolean, signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
export async function ask(method, path, options = {}) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (options.json !== undefined)
        headers['Content-Type'] = 'application/json';
    if (options.key)
        headers.Authorization = `Bearer ${options.key}`;
    const response = await fetch(path, {
        method, headers, signal: options.signal, body: options.json !== undefined ? JSON.stringify(options.json) : options.form,
    });
    if (!response.ok) {
        const error = await errorOf(response);
        if (error.status === 401 && !options.quiet)
            onLocked();
        throw error;
    }
    return response.json();
}

/** @param {string} id @param {'video' | 'thumbnail' | 'spritesheet' | 'preview'} [variant] */
export const contentUrl = (id, variant = 'video') => `/v1/videos/${encodeURIComponent(id)}/content?variant=${variant}`;

/** @param {string} id */
export const liveUrl = (id) => `/v1/live/${encodeURIComponent(id)}/frames`;

/** Fields that hold files go as a form, all others as JSON. Objects within a form get names in brackets.
 * @param {string} path @param {Record<string, any>} fields @returns {Promise<Video>} */
function make(path, fields) {
    const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== '');
    if (!given.some(([, value]) => value instanceof Blob))
        return ask('POST', path, {json: Object.fromEntries(given)});
    const form = new FormData();
    for (const [name, value] of given)
        addField(form, name, value);
    return ask('POST', path, {form});
}

/** @param {FormData} form @param {string} name @param {any} value */
function addField(form, name, value) {
    if (value instanceof Blob)
        form.append(name, value, value instanceof File ? value.name : `${name}.png`);
    else if (Array.isArray(value))
        value.forEach((one) => addField(form, `${name}[]`, one));
    else if (typeof value === 'object')
        Object.entries(value).forEach(([key, one]) => addField(form, `${name}[${key}]`, one));
    else
        form.append(name, String(value));
}

/** @param {string} path @param {File} file */
function sendFile(path, file) {
    const form = new FormData();
    form.append('file', file);
    return ask('POST', path, {form});
}

const one = (/** @type {string} */ id, tail = '') => `/v1/videos/${encodeURIComponent(id)}${tail}`;
const named = (/** @type {string} */ folder, /** @type {string} */ id, tail = '') => `${folder}/${encodeURIComponent(id)}${tail}`;

export const api = {
    /** @param {Record<string, any>} fields */
    create: (fields) => make('/v1/videos', fields),
    /** Every operation of the studio. @param {Record<string, any>} fields */
    studio: (fields) => make('/v1/videos/studio', fields),
    /** @param {string} id @returns {Promise<Video>} */
    video: (id) => ask('GET', one(id)),
    /** @param {{limit?: number, after?: string | null}} page @returns {Promise<VideoList>} */
    videos: ({limit = 24, after}) => ask('GET', `/v1/videos?order=desc&limit=${limit}${after ? `&after=${encodeURIComponent(after)}` : ''}`),
    /** @param {string} id @returns {Promise<Video>} */
    cancel: (id) => ask('POST', one(id, '/cancel')),
    /** @param {string} id */
    remove: (id) => ask('DELETE', one(id)),

    /** @param {{prompt: string, model?: string}} fields @returns {Promise<{id: string, fps: number}>} */
    beginLive: (fields) => ask('POST', '/v1/live', {json: fields}),
    /** @param {string} id @param {string} prompt */
    changeLive: (id, prompt) => ask('POST', named('/v1/live', id), {json: {prompt}}),
    /** @param {string} id */
    endLive: (id) => ask('DELETE', named('/v1/live', id)),

    /** @param {{featured?: boolean, after?: string | null}} page @returns {Promise<VideoList>} */
    feed: ({featured, after}) => ask('GET', `/v1/feed?limit=24${featured ? '&featured=true' : ''}${after ? `&after=${encodeURIComponent(after)}` : ''}`),
    /** @param {string} id @param {string} title */
    publish: (id, title) => ask('POST', one(id, '/publish'), {json: title ? {title} : {}}),
    /** @param {string} id */
    unpublish: (id) => ask('DELETE', one(id, '/publish')),
    /** @param {string} id @param {boolean} liked */
    like: (id, liked) => ask(liked ? 'POST' : 'DELETE', one(id, '/like')),
    /** @param {string} id @param {string} reason */
    report: (id, reason) => ask('POST', one(id, '/report'), {json: {reason}}),
    /** @param {string} id @param {boolean} featured */
    feature: (id, featured) => ask(featured ? 'POST' : 'DELETE', named('/v1/admin/videos', id, '/feature')),

    /** Unknown words, and known ones that are near in meaning. @param {string} id @param {string} text @returns {Promise<{data: {word: string, near: string | null}[]}>} */
    unknown: (id, text) => ask('GET', `${named('/v1/models', id, '/unknown')}?text=${encodeURIComponent(text)}`, {quiet: true}),
    /** @returns {Promise<{data: Model[]}>} */
    models: () => ask('GET', '/v1/models', {quiet: true}),
    /** @param {string} id @returns {Promise<any>} */
    words: (id) => ask('GET', named('/v1/models', id, '/words'), {quiet: true}),
    /** Has it content credentials? @param {File} file @returns {Promise<any>} */
    verify: (file) => sendFile('/v1/verify', file),
    /** Was it made here? @param {File} file @returns {Promise<any>} */
    trace: (file) => sendFile('/v1/trace', file),

    /** Who am I? @param {boolean} [quiet] @returns {Promise<Key>} */
    me: (quiet) => ask('GET', '/v1/key', {quiet}),
    /** @param {string} key @returns {Promise<Key>} */
    begin: (key) => ask('POST', '/v1/session', {key, quiet: true}),
    end: () => ask('DELETE', '/v1/session'),

    /** @returns {Promise<{data: Key[]}>} */
    keys: () => ask('GET', '/v1/admin/keys'),
    /** @param {string} id @returns {Promise<Key>} */
    key: (id) => ask('GET', named('/v1/admin/keys', id)),
    /** @param {{name: string, scopes: string, plan: string}} fields @returns {Promise<Key>} */
    makeKey: (fields) => ask('POST', '/v1/admin/keys', {json: fields}),
    /** @param {string} id @param {Record<string, string>} fields @returns {Promise<Key>} */
    changeKey: (id, fields) => ask('POST', named('/v1/admin/keys', id), {json: fields}),
    /** @param {string} id @returns {Promise<Key>} */
    revokeKey: (id) => ask('DELETE', named('/v1/admin/keys', id)),
    /** @returns {Promise<{data: {name: string}[]}>} */
    plans: () => ask('GET', '/v1/admin/plans'),
    /** @returns {Promise<{data: {id: string, video: string, reason: string, at: number, decision: string | null}[]}>} */
    reports: () => ask('GET', '/v1/admin/reports'),
    /** @param {string} id @param {'kept' | 'removed'} decision */
    decide: (id, decision) => ask('POST', named('/v1/admin/reports', id), {json: {decision}}),
    /** @returns {Promise<{data: {at: number, actor: string, action: string, target: string, detail: string | null}[]}>} */
    audit: () => ask('GET', '/v1/admin/audit'),
};
