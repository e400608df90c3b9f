// 日本語の文言。名前は en.js と同じ。
/** @type {Record<import('./i18n.js').TextName, string>} */
export default {
    create: 'つくる', storyboard: '絵コンテ', live: 'ライブ', explore: 'みつける', verify: '確かめる', keys: 'キー',
    places: '場所', skip: '本文へ移動', language: '言語', theme: '外観', theme_auto: '自動', theme_light: 'ライト', theme_dark: 'ダーク',
    log_in: 'ログイン', log_out: 'ログアウト', log_in_help: 'このサーバーには API キーが必要です。キーはこのブラウザーに保存され、ほかのページからは読めません。', api_key: 'API キー',
    close: '閉じる', cancel: '中止', delete: '削除', keep: '残す', undo: '元に戻す', clear: '消去', copy: 'コピー', copied: 'コピーしました', changed: '変更しました', more: 'もっと見る', all: 'すべて', show: '表示', yes: 'はい', no: 'いいえ',
    unreachable: 'サーバーに接続できません。起動しているか確かめてください。',
    seconds_short: '{n} 秒', minutes_short: '{m} 分 {s} 秒',

    hero: '何を起こしましょう？', make_a_video: '動画をつくる', prompt_label: '動画の内容', prompt_placeholder: '夕焼けの雪山の上を赤い風船が漂う',
    prompt_missing: 'まず内容を入力してください。', make: 'つくる', begun: '{n} 本を開始しました', begun_one: '開始しました。ライブラリーに表示されます。',
    unknown_words: 'このモデルが知らない言葉: {words}', replace_word: '{word} を {by} に置き換える', known_words: 'このモデルが知っている言葉', added: '{what} を追加しました',
    nouns: 'もの', scenery: '風景', colours: '色', counts: '数', actions: '動き', directions: '向き', places_class: '場所', times: '時間帯', weathers: '天気', cameras: 'カメラ',
    size: 'サイズ', square: '正方形', wide: '横長', tall: '縦長', seconds: '秒数', style: 'スタイル', no_style: 'なし', variations: 'バリエーション', seed: 'シード', random: 'ランダム', roll_seed: 'シードを振り直す',
    more_options: '詳細', model: 'モデル', model_own: 'モデルの既定', negative: '除くもの', steps: 'ステップ', guidance: 'ガイダンス',
    picture_or_video: '画像・動画を追加', draw: '描く', first_picture: '最初のフレーム', last_picture: '最後のフレーム', mask: 'マスク', remove_what: '外す: {what}',
    paint_motion: '動く部分を塗る', paint_motion_help: '動かしたい部分を塗ってください。ほかの部分はそのまま残ります。', not_media: '{name} は画像でも動画でもありません。',

    library: 'ライブラリー', library_empty: 'まだ何もありません。つくった動画はここに残ります。', search: '言葉かシードで探す', in_the_making: '制作中', finished: '完成', published: '公開中', failed: '失敗', cancelled: '中止しました',
    queued: '待機中', queued_behind: '待機中、前に {n} 件', percent: '{n} %', percent_left: '{n} % · 残り約 {left}', progress_of: '{title} の進み具合', is_finished: '完成: {title}',
    open_video: '開く: {title}', use_again: 'もう一度使う', reused: '言葉と設定を入力欄に戻しました。', reused_without_video: '言葉と設定を入力欄に戻しました。元の動画は含まれません。', no_words: '言葉なし', delete_question: 'この動画を完全に削除しますか？',

    operation: 'つくり方', frames: 'フレーム', made_in: '所要時間', made_at: '作成', expires_at: '保存期限', download: 'ダウンロード', publish: '公開', unpublish: '公開をやめる', is_published: '公開しました。「みつける」に表示されます。', unpublished: '公開をやめました。', title_optional: '題名（空でもかまいません）',
    make_of_it: 'この動画から', remix: 'リミックス', extend: '延長', loop: 'ループ', blend: 'ブレンド', fill: '塗り直し', recut: 'カットし直す', interpolate: '補間',
    remix_help: '同じ動きを、別の言葉で。', extend_help: '終わりの先へ続けるか、始まりの前につなげます。', loop_help: '終わりから始まりへの橋をつくり、ずっと再生できるようにします。', blend_help: 'この動画が別の動画に変わっていきます。', fill_help: 'つくり直す部分を塗ってください。ほかは残ります。', recut_help: 'いちばん良い部分を残し、その前後をつくります。',
    remix_do: 'リミックスする', extend_do: '延長する', loop_do: 'ループにする', blend_do: 'ブレンドする', fill_do: '塗り直す', recut_do: 'カットし直す',
    new_words: '新しい言葉', words_optional: '言葉（空なら元の動画の言葉）', strength: '強さ', strength_help: '0.1 はほぼそのまま、1 は何も残しません。', subtle: '控えめ', mild: 'ほどほど', strong: '強め',
    where: '位置', at_end: '終わりの後', at_start: '始まりの前', bridge_seconds: '橋の秒数', blend_with: 'もう一つの動画', a_file: 'ファイル', choose_file: 'ファイルを選ぶ', blend_missing: 'もう一つの動画を選んでください。',
    curve: '変わり方', curve_bridge: '順番に', curve_linear: '均等に', curve_smooth: 'なめらかに', curve_early: '早めに', curve_late: '遅めに',
    mask_file: 'ファイルのマスク', mask_is: 'マスク: {name}', mask_missing: 'つくり直す部分を塗るか、マスクを選んでください。', mask_canvas: 'マスクを塗る: ドラッグ、または矢印キーで動かしてスペースキー', picture_canvas: '描く: ドラッグ、または矢印キーで動かしてスペースキー',
    brush: '筆', erase: '消しゴム', invert: '反転', colour: '色', ground: '背景', use_it: '使う', cannot_show: 'このブラウザーではこの動画を表示できません。',
    recut_says: '残す: {from} 秒から {to} 秒。前につくる: {before} 秒、後につくる: {after} 秒。', handle_before: '前につくる秒数', handle_from: '残す部分の始まり', handle_to: '残す部分の終わり', handle_after: '後につくる秒数',

    storyboard_help: '一本の動画をカードで語ります。カードの言葉はその秒から効きます。境目を動かすと時間が変わります。', whole_seconds: '全体の秒数', card_words: '起こること', card_n: 'カード {n}', card_begins: 'カード {n} の始まり', begins_at: '始まる秒', move_left: '左へ', move_right: '右へ', remove_card: 'カードを外す', add_card: 'カードを追加', card_empty: 'カード {n} に言葉がありません。',
    live_help: 'つくりながら再生します。入力すると、約一秒後に変わります。', live_placeholder: 'イルカが海から跳ぶ', start: '始める', stop: '止める', live_begins: '最初のこまがまもなく届きます',
    explore_help: 'ここで公開された動画。', recent: '新着', featured: '注目', feed_empty: 'まだ公開された動画はありません。自分の動画を開いて「公開」を押してください。', like_n: '{title} にいいね、現在 {n}', feature: '注目に入れる', report: '通報', report_why: 'どんな問題がありますか？', reported: 'ありがとうございます。担当者が確認します。',

    verify_help: '動画や画像を入れてください。コンテンツ認証情報が正しいか、ここでつくられたものかを調べます。ファイルは保存しません。', drop_any: 'ここにファイルを入れる', checking: '確認中…', credentials: 'コンテンツ認証情報',
    no_credentials: 'このファイルにコンテンツ認証情報はありません。つくり方については何もわかりません。', credentials_valid: 'コンテンツ認証情報は正しく、署名された時のままです。', credentials_trusted: 'コンテンツ認証情報は正しく、ここで信頼されている署名です。', credentials_invalid: 'コンテンツ認証情報とファイルが合いません。署名の後に変更されています。',
    signed_by: '署名者', made_with: '使われたもの', what_happened: '経緯', made_from: '素材', remarks: '備考', action_created: '作成', action_opened: '読み込み', action_edited: '変更', action_placed: '組み合わせ',
    traced: 'ここでつくられました: {model}、{when}（{score} % 一致）。', not_traced: 'ここでつくられた動画に似たものはありません。', trace_failed: '追跡できません: {why}',

    your_key: 'あなたのキー', no_key_needed: 'ここではキーは要りません。このマシンからしか接続できません。', usage: '使用量', no_usage: 'まだ何もつくっていません。', day: '日', videos: '動画', credits: 'クレジット',
    all_keys: 'すべてのキー', new_key: '新しいキー', name: '名前', key: 'キー', scopes: '権限', plan: 'プラン', plan_of: '{name} のプラン', revoke: '失効', revoked: '失効済み', revoke_question: 'キー {name} を失効させますか？ 制作中のものもすぐに止まります。', scope_videos: '動画をつくる', scope_admin: '動画をつくる・サーバーを管理する', key_once: 'キーが表示されるのは今だけです。',
    reports: '通報', no_reports: '通報はありません。', take_down: '取り下げる', audit: '記録', when: '日時', who: '誰が', what: '何を', about: '対象', detail: '詳細',
};
