// The page's texts in English. ja.js has the same names.
export default {
    create: 'Create', storyboard: 'Storyboard', live: 'Live', explore: 'Explore', verify: 'Verify', keys: 'Keys',
    places: 'Places', skip: 'Skip to the content', language: 'Language', theme: 'Appearance', theme_auto: 'Auto', theme_light: 'Light', theme_dark: 'Dark',
    log_in: 'Log in', log_out: 'Log out', log_in_help: 'This server wants an API key. It stays in this browser, out of reach of other pages.', api_key: 'API key',
    close: 'Close', cancel: 'Cancel', delete: 'Delete', keep: 'Keep', undo: 'Undo', clear: 'Clear', copy: 'Copy', copied: 'Copied', changed: 'Changed', more: 'Show more', all: 'All', show: 'Show', yes: 'yes', no: 'no',
    unreachable: 'The server cannot be reached. Is it running?',
    seconds_short: '{n} s', minutes_short: '{m} min {s} s',

    hero: 'What should happen?', make_a_video: 'Make a video', prompt_label: 'What the video shows', prompt_placeholder: 'a red balloon drifts over a snowy mountain at sunset',
    prompt_missing: 'Say what should happen first.', make: 'Make', begun: '{n} begun', begun_one: 'Begun. You see it in your library.',
    unknown_words: 'Not known to this model: {words}', replace_word: 'Replace {word} with {by}', known_words: 'Words this model knows', added: '{what} added',
    nouns: 'Things', scenery: 'Scenery', colours: 'Colours', counts: 'Numbers', actions: 'Actions', directions: 'Directions', places_class: 'Places', times: 'Times of day', weathers: 'Weather', cameras: 'Camera',
    size: 'Size', square: 'Square', wide: 'Wide', tall: 'Tall', seconds: 'Seconds', style: 'Style', no_style: 'none', variations: 'Variations', seed: 'Seed', random: 'random', roll_seed: 'Another random seed',
    more_options: 'More', model: 'Model', model_own: 'the model’s own', negative: 'Leave out', steps: 'Steps', guidance: 'Guidance',
    picture_or_video: 'Add a picture or video', draw: 'Draw', first_picture: 'First frame', last_picture: 'Last frame', mask: 'Mask', remove_what: 'Remove: {what}',
    paint_motion: 'Paint what moves', paint_motion_help: 'Paint over what should move. The rest of the picture stays as it is.', not_media: '{name} is neither a picture nor a video.',

    library: 'Your library', library_empty: 'Nothing here yet. What you make appears here, and stays.', search: 'Search words or seed', in_the_making: 'In the making', finished: 'Finished', published: 'Published', failed: 'Failed', cancelled: 'Cancelled',
    queued: 'Waiting', queued_behind: 'Waiting, {n} before it', percent: '{n} %', percent_left: '{n} % · about {left} left', progress_of: 'Progress of {title}', is_finished: 'Finished: {title}',
    open_video: 'Open: {title}', use_again: 'Use again', reused: 'Its words and settings are in the line again.', reused_without_video: 'Its words and settings are in the line again; the video it was made from is not.', no_words: 'Without words', delete_question: 'Delete this video for good?',

    operation: 'Made by', frames: 'Frames', made_in: 'Took', made_at: 'Made', expires_at: 'Kept until', download: 'Download', publish: 'Publish', unpublish: 'Take back', is_published: 'Published. It is in Explore now.', unpublished: 'Taken back from Explore.', title_optional: 'Title (may be empty)',
    make_of_it: 'Make something of it', remix: 'Remix', extend: 'Extend', loop: 'Loop', blend: 'Blend', fill: 'Fill', recut: 'Re-cut', interpolate: 'Interpolate',
    remix_help: 'The same motion, told in other words.', extend_help: 'The video goes on after its end, or leads up to its beginning.', loop_help: 'A bridge leads from the end back to the beginning, so that it plays for ever.', blend_help: 'This video turns into another.', fill_help: 'Paint over what is to be made anew; the rest stays.', recut_help: 'Keep the best part, and have what comes before and after made.',
    remix_do: 'Remix', extend_do: 'Extend', loop_do: 'Close the loop', blend_do: 'Blend', fill_do: 'Fill in', recut_do: 'Re-cut',
    new_words: 'New words', words_optional: 'Words (empty: those of the video)', strength: 'Strength', strength_help: '0.1 keeps nearly everything, 1 nothing.', subtle: 'Subtle', mild: 'Mild', strong: 'Strong',
    where: 'Where', at_end: 'after the end', at_start: 'before the beginning', bridge_seconds: 'Seconds of the bridge', blend_with: 'Other video', a_file: 'a file', choose_file: 'Choose a file', blend_missing: 'Choose the other video first.',
    curve: 'How it turns', curve_bridge: 'one after the other', curve_linear: 'evenly', curve_smooth: 'softly', curve_early: 'early', curve_late: 'late',
    mask_file: 'Mask from a file', mask_is: 'Mask: {name}', mask_missing: 'Paint over what is to be made anew first, or choose a mask.', mask_canvas: 'Paint the mask: drag, or move with the arrow keys and press Space', picture_canvas: 'Paint: drag, or move with the arrow keys and press Space',
    brush: 'Brush', erase: 'Erase', invert: 'Invert', colour: 'Colour', ground: 'Background', use_it: 'Use it', cannot_show: 'This browser cannot show the video.',
    recut_says: 'Kept: {from} s to {to} s. Made before it: {before} s, after it: {after} s.', handle_before: 'Seconds made before', handle_from: 'Beginning of what is kept', handle_to: 'End of what is kept', handle_after: 'Seconds made after',

    storyboard_help: 'One video, told in cards. Each card’s words count from its second on; drag the edges to change when.', whole_seconds: 'Seconds of the whole', card_words: 'What happens', card_n: 'Card {n}', card_begins: 'Card {n} begins', begins_at: 'Begins at second', move_left: 'Move to the left', move_right: 'Move to the right', remove_card: 'Remove the card', add_card: 'Add a card', card_empty: 'Card {n} has no words yet.',
    live_help: 'The video plays while it is made. Type, and about a second later it changes.', live_placeholder: 'a dolphin jumps out of the sea', start: 'Start', stop: 'Stop', live_begins: 'The first frame comes in a moment',
    explore_help: 'What people here published.', recent: 'Recent', featured: 'Featured', feed_empty: 'Nothing was published yet. Open one of your videos and press Publish.', like_n: 'Like {title}, {n} so far', feature: 'Feature', report: 'Report', report_why: 'What is wrong with it?', reported: 'Thank you. Someone will look at it.',

    verify_help: 'Drop any video or picture: are its content credentials in order, and was it made here? Files are checked and forgotten.', drop_any: 'Drop files here', checking: 'Checking …', credentials: 'Content credentials',
    no_credentials: 'No content credentials in the file. That says nothing about how it was made.', credentials_valid: 'Content credentials in order: the file is as it was signed.', credentials_trusted: 'Content credentials in order, signed by someone trusted here.', credentials_invalid: 'The content credentials do not fit the file: it was changed after it was signed.',
    signed_by: 'Signed by', made_with: 'Made with', what_happened: 'What happened', made_from: 'Made from', remarks: 'Remarks', action_created: 'made', action_opened: 'opened', action_edited: 'changed', action_placed: 'put together',
    traced: 'Made here: by {model}, {when} ({score} % alike).', not_traced: 'No video that was made here looks like it.', trace_failed: 'Not traced: {why}',

    your_key: 'Your key', no_key_needed: 'No key is needed here: only this machine reaches the server.', usage: 'Usage', no_usage: 'Nothing was made with it yet.', day: 'Day', videos: 'Videos', credits: 'Credits',
    all_keys: 'All keys', new_key: 'New key', name: 'Name', key: 'Key', scopes: 'May', plan: 'Plan', plan_of: 'Plan of {name}', revoke: 'Revoke', revoked: 'revoked', revoke_question: 'Revoke the key {name}? It stops at once, with what it is making.', scope_videos: 'make videos', scope_admin: 'make videos and keep the server', key_once: 'This is the only time that the key is shown.',
    reports: 'Reports', no_reports: 'Nothing was reported.', take_down: 'Take down', audit: 'What was done', when: 'When', who: 'Who', what: 'What', about: 'About', detail: 'Detail',
};
