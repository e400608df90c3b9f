#include "serve/routes.h"

#include <string.h>

#include "serve/admin.h"
#include "serve/feed.h"
#include "serve/hooks_api.h"
#include "serve/live.h"
#include "serve/system.h"
#include "serve/videos.h"

/* What has no braces stands before what has some. */
const Route ROUTES[] = {
    {"POST", "/v1/videos", "videos", videos_create, "createVideo", "make a video", "CreateVideo", "Video"},
    {"GET", "/v1/videos", "videos", videos_list, "listVideos", "your videos, by pages", NULL, "VideoList"},
    {"POST", "/v1/videos/edits", "videos", videos_edit, "editVideo", "make a video anew by other words", "EditVideo", "Video"},
    {"POST", "/v1/videos/extensions", "videos", videos_extend, "extendVideo", "a video goes on", "ExtendVideo", "Video"},
    {"POST", "/v1/videos/studio", "videos", videos_studio, "studio", "loop, blend, fill, interpolate, recut, extend, remix",
     "Studio", "Video"},
    {"POST", "/v1/videos/characters", "videos", characters_create, "createCharacter", "keep a character", "CreateCharacter",
     "Character"},
    {"GET", "/v1/videos/characters/{character_id}", "videos", characters_retrieve, "getCharacter", "a character", NULL,
     "Character"},
    {"GET", "/v1/videos/{video_id}", "videos", videos_retrieve, "getVideo", "a video and how far it is", NULL, "Video"},
    {"DELETE", "/v1/videos/{video_id}", "videos", videos_delete, "deleteVideo", "delete a video; one in progress is stopped",
     NULL, "Deleted"},
    {"GET", "/v1/videos/{video_id}/content", "videos", videos_content, "downloadVideo",
     "the file: ?variant=video, thumbnail, spritesheet, preview", NULL, NULL},
    {"POST", "/v1/videos/{video_id}/remix", "videos", videos_remix, "remixVideo", "make a video anew by other words",
     "RemixVideo", "Video"},
    {"POST", "/v1/videos/{video_id}/cancel", "videos", videos_cancel, "cancelVideo",
     "stop a video; it has failed, with the code cancelled", NULL, "Video"},
    {"POST", "/v1/videos/{video_id}/publish", "videos", feed_publish, "publishVideo", "show a video in the feed", "Publish",
     NULL},
    {"DELETE", "/v1/videos/{video_id}/publish", "videos", feed_publish, "withdrawVideo", "take a video back from the feed", NULL,
     NULL},
    {"POST", "/v1/videos/{video_id}/like", "videos", feed_like, "likeVideo", "like a published video", NULL, NULL},
    {"DELETE", "/v1/videos/{video_id}/like", "videos", feed_like, "unlikeVideo", "no longer", NULL, NULL},
    {"POST", "/v1/videos/{video_id}/report", "videos", feed_report, "reportVideo", "report a published video", "Report", NULL},
    {"GET", "/v1/feed", "videos", feed_list, "listFeed", "what was published: ?featured=true", NULL, "VideoList"},
    {"POST", "/v1/images/generations", "videos", images_generate, "createImage", "make a picture; the answer has it",
     "CreateImage", "Images"},
    {"POST", "/v1/live", "videos", live_create, "beginLive", "a video that never ends, made while it is watched", "CreateLive",
     "Live"},
    {"GET", "/v1/live/{live_id}/frames", "videos", live_watch, "watchLive",
     "JPEG pictures one after the other: multipart/x-mixed-replace", NULL, NULL},
    {"POST", "/v1/live/{live_id}", "videos", live_change, "changeLive", "what happens from now on", "ChangeLive", "Live"},
    {"DELETE", "/v1/live/{live_id}", "videos", live_end, "endLive", "end it", NULL, "Deleted"},
    {"GET", "/v1/models", "videos", models_list, "listModels", "the models", NULL, "ModelList"},
    {"GET", "/v1/models/{model}", "videos", models_retrieve, "getModel", "a model", NULL, "Model"},
    {"GET", "/v1/models/{model}/words", "videos", models_words, "getWords", "the words that a model knows", NULL, NULL},
    {"GET", "/v1/models/{model}/unknown", "videos", models_unknown, "getUnknownWords",
     "the words of ?text= that a model does not know, and known ones that are near in meaning", NULL, NULL},
    {"POST", "/v1/verify", "videos", tool_verify, "verify", "content credentials of a file", "File", NULL},
    {"POST", "/v1/trace", "videos", tool_trace, "trace", "was this file made here?", "File", NULL},
    {"GET", "/v1/key", "videos", own_key, "getKey", "your key, its limits and use", NULL, "Key"},
    {"POST", "/v1/session", "videos", session_begin, "beginSession", "a cookie in place of the Authorization header", NULL,
     "Key"},
    {"DELETE", "/v1/session", NULL, session_end, "endSession", "the cookie goes", NULL, NULL},
    {"POST", "/v1/webhook_endpoints", "videos", hooks_create, "createWebhook", "be told when videos are finished", "Webhook",
     "WebhookEndpoint"},
    {"GET", "/v1/webhook_endpoints", "videos", hooks_list, "listWebhooks", "your webhooks", NULL, NULL},
    {"GET", "/v1/webhook_endpoints/{webhook_id}", "videos", hooks_retrieve, "getWebhook", "a webhook", NULL, "WebhookEndpoint"},
    {"POST", "/v1/webhook_endpoints/{webhook_id}", "videos", hooks_change, "changeWebhook", "change it", "Webhook",
     "WebhookEndpoint"},
    {"DELETE", "/v1/webhook_endpoints/{webhook_id}", "videos", hooks_delete, "deleteWebhook", "delete it", NULL, "Deleted"},
    {"POST", "/v1/webhook_endpoints/{webhook_id}/rotate_secret", "videos", hooks_rotate, "rotateWebhook", "another secret",
     "Rotate", "WebhookEndpoint"},
    {"POST", "/v1/webhook_endpoints/{webhook_id}/test", "videos", hooks_test, "testWebhook", "deliver an event for trying out",
     "TestWebhook", NULL},
    {"GET", "/v1/admin/keys", "admin", admin_keys_list, "listKeys", "all keys", NULL, "KeyList"},
    {"POST", "/v1/admin/keys", "admin", admin_keys_create, "createKey", "make a key; it is shown once", "NewKey", "Key"},
    {"GET", "/v1/admin/keys/{key_id}", "admin", admin_keys_show, "showKey", "a key, its limits and use", NULL, "Key"},
    {"POST", "/v1/admin/keys/{key_id}", "admin", admin_keys_change, "changeKey", "another plan, scopes or name", "NewKey", "Key"},
    {"DELETE", "/v1/admin/keys/{key_id}", "admin", admin_keys_revoke, "revokeKey", "revoke a key and stop its jobs", NULL, "Key"},
    {"GET", "/v1/admin/plans", "admin", admin_plans, "listPlans", "the plans", NULL, NULL},
    {"GET", "/v1/admin/audit", "admin", admin_audit, "listAudit", "who did what: ?before=NUMBER", NULL, NULL},
    {"GET", "/v1/admin/reports", "admin", admin_reports, "listReports", "what was reported: ?all=true", NULL, NULL},
    {"POST", "/v1/admin/reports/{report_id}", "admin", admin_report_decide, "decideReport", "kept, or removed from the feed",
     "Decision", NULL},
    {"POST", "/v1/admin/videos/{video_id}/feature", "admin", admin_feature, "featureVideo", "among the featured ones", NULL,
     NULL},
    {"DELETE", "/v1/admin/videos/{video_id}/feature", "admin", admin_feature, "unfeatureVideo", "no longer", NULL, NULL},
    {"GET", "/healthz", NULL, health, "health", "is the process there?", NULL, NULL},
    {"GET", "/readyz", NULL, ready, "ready", "can it take requests?", NULL, NULL},
    {"GET", "/metrics", NULL, metrics, "metrics", "Prometheus", NULL, NULL},
    {"GET", "/openapi.json", NULL, openapi, "openapi", "this description", NULL, NULL},
    {"GET", "/*", NULL, web_file, "web", "the page", NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

/* Does it match, and what are the parts in braces? They are copied to `copy`. */
static bool match(const char *pattern, const char *path, const char *names[CALL_MOST_NAMES], char *copy)
{
    int count = 0;
    while (*pattern != 0) {
        if (*pattern == '{') {
            size_t n = strcspn(path, "/");
            if (n == 0 || count == CALL_MOST_NAMES)
                return false;
            names[count++] = copy;
            memcpy(copy, path, n);
            copy[n] = 0;
            copy += n + 1;
            path += n;
            pattern += strcspn(pattern, "}") + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == 0;
}

RouteFound route_find(const char *method, const char *path, const Route **route, const char *names[CALL_MOST_NAMES], char *buffer)
{
    bool known = false;
    for (const Route *r = ROUTES; r->method != NULL; r++) {
        bool page = strcmp(r->path, "/*") == 0;
        if (page ? known || strncmp(path, "/v1/", 4) == 0 : !match(r->path, path, names, buffer))
            continue;
        known = known || !page;
        if (strcmp(r->method, method) == 0) {
            *route = r;
            return ROUTE_FOUND;
        }
    }
    return known ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
}
