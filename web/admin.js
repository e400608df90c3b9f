// One's own key; and for those who keep the server all keys, reports and what was done.
import {api, whenLocked} from './api.js';
import {announce, button, confirmed, field, fill, h, openDialog, select} from './dom.js';
import {date, language, t} from './i18n.js';

/** @typedef {import('./api.js').Key} Key */

/** @param {Key} me */
export async function keysView(me) {
    const own = await api.me(), admin = own.scopes.split(' ').includes('admin');
    const view = h('div', {className: 'view'}, h('h1', null, t('keys')), ownPanel(own));
    if (admin) {
        const [keys, plans, reports, audit] = await Promise.all([api.keys(), api.plans(), api.reports(), api.audit()]);
        view.append(keysPanel(keys.data, plans.data.map((p) => p.name), own.id === 'local'), reportsPanel(reports.data), auditPanel(audit.data));
    }
    return {element: view};
}

/** @param {Key} key */
function usageOf(key) {
    const usage = [...key.usage ?? []].sort((a, b) => a.day - b.day), most = Math.max(1, ...usage.map((u) => u.videos));
    if (usage.length === 0)
        return h('p', {className: 'muted'}, t('no_usage'));
    const day = new Intl.DateTimeFormat(language, {month: 'short', day: 'numeric', timeZone: 'UTC'});
    return scrolling(t('usage'), h('table', {className: 'usage'}, h('caption', null, t('usage')),
        h('thead', null, h('tr', null, [t('day'), t('videos'), t('credits')].map((name) => h('th', {scope: 'col'}, name)))),
        h('tbody', null, usage.map((u) => {
            const bar = h('span', {className: 'bar', 'aria-hidden': 'true'});
            bar.style.width = `${u.videos / most * 100}%`;
            return h('tr', null, h('th', {scope: 'row'}, day.format(u.day * 1000)), h('td', null, h('span', {className: 'bar-box'}, bar), u.videos), h('td', null, u.credits));
        }))));
}

/** A table that is wider than the screen is scrolled by itself, with keys too. @param {string} label @param {HTMLElement} table */
const scrolling = (label, table) => h('div', {className: 'scrolling', tabIndex: 0, role: 'region', 'aria-label': label}, table);

/** @param {Key} key */
function limitsOf(key) {
    const entries = Object.entries(key.limits ?? {}).filter(([name, value]) => name !== 'name' && name !== 'object' && value !== 0);
    return entries.length === 0 ? null : h('dl', {className: 'parameters'}, entries.map(([name, value]) => [h('dt', null, name.replaceAll('_', ' ')), h('dd', null, value === true ? t('yes') : value === false ? t('no') : String(value))]).flat());
}

/** @param {Key} key */
function ownPanel(key) {
    return h('section', {className: 'panel'}, h('h2', null, t('your_key')),
        h('p', null, key.id === 'local' ? t('no_key_needed') : `${key.name} · ${key.hint}… · ${key.plan ?? ''}`), limitsOf(key), usageOf(key));
}

/** @param {Key[]} keys @param {string[]} plans @param {boolean} open no key is wanted yet */
function keysPanel(keys, plans, open) {
    const body = h('tbody', null);
    const show = (/** @type {Key[]} */ list) => fill(body, ...list.map((key) => keyRow(key, plans, refresh)));
    const refresh = async () => show((await api.keys()).data);
    show(keys);
    return h('section', {className: 'panel'}, h('div', {className: 'row between'}, h('h2', null, t('all_keys')), button(t('new_key'), 'plus', () => newKey(plans, open, refresh), {kind: 'primary'})),
        scrolling(t('all_keys'), h('table', null, h('thead', null, h('tr', null, [t('name'), t('key'), t('scopes'), t('plan'), t('made_at'), ''].map((n) => n ? h('th', {scope: 'col'}, n) : h('td', null)))), body)));
}

/** @param {Key} key @param {string[]} plans @param {() => Promise<unknown>} refresh */
function keyRow(key, plans, refresh) {
    const plan = select(plans.map((p) => [p, p]), key.plan ?? '', async (value) => {
        await api.changeKey(key.id, {plan: value});
        announce(t('changed'));
    });
    plan.setAttribute('aria-label', t('plan_of', {name: key.name}));
    return h('tr', {className: key.revoked_at ? 'revoked' : ''}, h('th', {scope: 'row'}, key.name), h('td', null, h('code', null, `${key.hint}…`)), h('td', null, key.scopes),
        h('td', null, key.revoked_at ? key.plan : plan), h('td', null, date(key.created_at)), h('td', null, h('div', {className: 'row'},
            button(t('usage'), null, async () => { openDialog(key.name, [limitsOf(await api.key(key.id)), usageOf(await api.key(key.id))]); }, {kind: 'quiet small'}),
            key.revoked_at ? h('span', {className: 'tag'}, t('revoked')) : button(t('revoke'), null, async () => {
                if (await confirmed(t('revoke_question', {name: key.name}), t('revoke'))) {
                    await api.revokeKey(key.id);
                    await refresh();
                }
            }, {kind: 'danger small'}))));
}

/** From the first key on the server wants one: this page goes on with it, and does not ask for it meanwhile.
 * @param {{name: string, scopes: string, plan: string}} fields @param {boolean} open */
async function makeKey(fields, open) {
    if (!open)
        return api.makeKey(fields);
    whenLocked(() => {});
    try {
        const key = await api.makeKey(fields);
        await api.begin(key.key ?? '');
        return key;
    } finally {
        whenLocked(() => location.reload());
    }
}

/** @param {string[]} plans @param {boolean} open @param {() => Promise<unknown>} refresh */
function newKey(plans, open, refresh) {
    const name = h('input', {type: 'text', required: true, maxLength: 200}), plan = select(plans.map((p) => [p, p]), plans.includes('free') ? 'free' : plans[0] ?? '');
    const scopes = select([['videos', t('scope_videos')], ['videos admin', t('scope_admin')]], open ? 'videos admin' : 'videos'), body = h('div', {className: 'stack'});
    fill(body, field(t('name'), name), field(t('plan'), plan), field(t('scopes'), scopes), h('div', {className: 'row end'}, button(t('new_key'), null, async () => {
        const key = await makeKey({name: name.value.trim() || t('key'), plan: plan.value, scopes: scopes.value}, open);
        const text = h('input', {type: 'text', readOnly: true, value: key.key ?? '', className: 'code'});
        fill(body, h('p', null, t('key_once')), field(t('api_key'), text), button(t('copy'), null, async () => {
            await navigator.clipboard.writeText(text.value);
            announce(t('copied'));
        }, {kind: 'primary'}));
        text.select();
        if (key.scopes.includes('admin') || !open)
            await refresh();
    }, {kind: 'primary'})));
    openDialog(t('new_key'), [body]);
}

/** @param {{id: string, video: string, reason: string, at: number, decision: string | null}[]} reports */
function reportsPanel(reports) {
    const list = h('ul', {className: 'plain'}, reports.map((r) => {
        const decide = (/** @type {'kept' | 'removed'} */ decision) => async () => {
            await api.decide(r.id, decision);
            item.remove();
            announce(t('changed'));
        };
        const item = h('li', {className: 'row between wrap'}, h('span', null, h('strong', null, r.reason), ' ', h('small', {className: 'muted'}, `${r.video} · ${date(r.at)}`)),
            h('span', {className: 'row'}, button(t('keep'), null, decide('kept'), {kind: 'quiet small'}), button(t('take_down'), null, decide('removed'), {kind: 'danger small'})));
        return item;
    }));
    return h('section', {className: 'panel'}, h('h2', null, t('reports')), reports.length > 0 ? list : h('p', {className: 'muted'}, t('no_reports')));
}

/** @param {{at: number, actor: string, action: string, target: string, detail: string | null}[]} lines */
function auditPanel(lines) {
    return h('section', {className: 'panel'}, h('h2', null, t('audit')), scrolling(t('audit'), h('table', null,
        h('thead', null, h('tr', null, [t('when'), t('who'), t('what'), t('about'), t('detail')].map((n) => h('th', {scope: 'col'}, n)))),
        h('tbody', null, lines.map((l) => h('tr', null, h('td', null, date(l.at)), h('td', null, l.actor), h('td', null, l.action), h('td', null, l.target), h('td', null, l.detail ?? '')))))));
}
