#include "train/latents.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "weights/safetensors.h"

enum { MAX_PATH = 4096, FORMAT = 4 }; /* FORMAT: of a shard */

struct LatentCache {
    LatentCacheConfig config;
    char *folder;
    Safetensors **shards; /* [bucket][shard], opened when first used */
    int *first_shard;     /* [bucket] */
    int64_t together;     /* so many shards of each bucket are there on all ranks of the team */
};

LatentCache *latent_cache_new(const LatentCacheConfig *config, SoraError *err)
{
    if (!config->dry) {
        if (!dir_make(config->folder, err))
            return NULL;
        scratch_sweep(config->folder); /* what a run that was killed left */
    }
    LatentCache *c = calloc(1, sizeof *c);
    int total = 0;
    if (c != NULL) {
        c->config = *config;
        c->folder = strdup(config->folder);
        c->first_shard = calloc((size_t)config->bucket_count + 1, sizeof *c->first_shard);
    }
    for (int i = 0; c != NULL && c->first_shard != NULL && i < config->bucket_count; i++) {
        c->first_shard[i] = total;
        total += config->buckets[i].shards;
    }
    if (c == NULL || c->folder == NULL || c->first_shard == NULL ||
        (c->shards = calloc((size_t)total + 1, sizeof(Safetensors *))) == NULL) {
        latent_cache_free(c);
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    c->first_shard[config->bucket_count] = total;
    return c;
}

void latent_cache_free(LatentCache *c)
{
    if (c == NULL)
        return;
    for (int i = 0; c->shards != NULL && i < c->first_shard[c->config.bucket_count]; i++)
        safetensors_close(c->shards[i]);
    free(c->shards);
    free(c->first_shard);
    free(c->folder);
    free(c);
}

void latent_cache_shape(const LatentCache *c, int bucket, int64_t shape[4])
{
    const Bucket *b = &c->config.buckets[bucket];
    const VaeConfig *v = &c->config.codec->config;
    shape[0] = 1 + (b->frames - 1) / vae_stride_time(v);
    shape[1] = b->height / vae_stride_space(v);
    shape[2] = b->width / vae_stride_space(v);
    shape[3] = v->z_dim;
}

/* What becomes a shard. */
typedef struct Shard {
    int clips;
    int64_t latent, cells; /* elements and cells of one */
    float *latents;
    CellLabel *labels; /* [clips, F, h, w] */
    int32_t *classes;  /* [clips, CLIP_CLASSES] */
    char *captions;
    size_t bytes;
    int32_t *offsets, *counts; /* [clips + 1] where a clip's captions begin, [clips] how many */
} Shard;

static void shard_deinit(Shard *s)
{
    free(s->latents);
    free(s->labels);
    free(s->classes);
    free(s->captions);
    free(s->offsets);
    free(s->counts);
}

static bool shard_init(Shard *s, int clips, const int64_t shape[4])
{
    int64_t cells = shape[0] * shape[1] * shape[2], latent = cells * shape[3];
    *s = (Shard){.clips = clips, .latent = latent, .cells = cells,
                 .labels = calloc((size_t)(clips * cells), sizeof(CellLabel)),
                 .classes = calloc((size_t)clips * CLIP_CLASSES, sizeof(int32_t)),
                 .latents = malloc((size_t)clips * (size_t)latent * sizeof(float)),
                 .offsets = calloc((size_t)clips + 1, sizeof(int32_t)),
                 .counts = calloc((size_t)clips, sizeof(int32_t))};
    return s->latents != NULL && s->labels != NULL && s->classes != NULL && s->offsets != NULL && s->counts != NULL;
}

static bool add_captions(Shard *s, int clip, const Clip *from)
{
    size_t more = 0;
    for (int i = 0; i < from->caption_count; i++)
        more += strlen(from->captions[i]) + 1;
    char *captions = realloc(s->captions, s->bytes + more + 1);
    if (captions == NULL || s->bytes + more > INT32_MAX)
        return false;
    s->captions = captions;
    for (int i = 0; i < from->caption_count; i++) {
        size_t n = strlen(from->captions[i]) + 1;
        memcpy(captions + s->bytes, from->captions[i], n);
        s->bytes += n;
    }
    s->counts[clip] = from->caption_count;
    s->offsets[clip + 1] = (int32_t)s->bytes;
    return true;
}

/* Clips of a batch, rendered side by side. */
typedef struct Rendering {
    ClipSource *source;
    const Bucket *bucket;
    uint64_t index; /* of the first */
    Clip *clips;
    bool ok[LATENT_BATCH];
    SoraError errors[LATENT_BATCH];
} Rendering;

static void render_clip(void *arg, int64_t i, int worker)
{
    Rendering *r = arg;
    const Bucket *b = r->bucket;
    ClipRequest request = {.width = b->drawn_width, .height = b->drawn_height, .frames = b->frames, .fps = b->fps,
                           .index = r->index + (uint64_t)i};
    r->ok[i] = clip_source_get(r->source, &request, &r->clips[i], &r->errors[i]);
}

/* The error is that of the first clip that has one. */
static bool render_batch(LatentCache *c, const Bucket *b, uint64_t index, Clip *clips, int count, SoraError *err)
{
    Rendering r = {.source = c->config.source, .bucket = b, .index = index, .clips = clips};
    pool_run(graph_pool(c->config.graph), count, render_clip, &r);
    for (int i = 0; i < count; i++)
        if (!r.ok[i]) {
            if (err != NULL)
                *err = r.errors[i];
            return false;
        }
    return true;
}

static bool encode_frames(LatentCache *c, const Bucket *b, int count, const float *video, float *latents, SoraError *err)
{
    Graph *g = c->config.graph;
    graph_reset(g);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(count, b->frames, b->height, b->width, 3), video);
    graph_download(g, vae_encode(g, c->config.codec, x), latents);
    bool ok = graph_ok(g, err);
    graph_reset(g);
    return ok;
}

/* The part of a clip that is seen: all of it, or a window with the subject's middle near its own. */
static ClipCrop window(const Bucket *b, const Clip *clip, uint64_t index)
{
    ClipCrop crop = {.width = b->width, .height = b->height, .count = b->frames};
    int room_x = clip->width - b->width, room_y = clip->height - b->height;
    const ClipBox *box = clip->actors > 0 ? &clip->boxes[b->frames / 2] : NULL;
    int x = clip->width / 2, y = clip->height / 2;
    if (box != NULL && box->x1 > box->x0) {
        x = (box->x0 + box->x1) / 2;
        y = (box->y0 + box->y1) / 2;
    }
    Rng rng;
    rng_init(&rng, 0, index);
    x += rng_int(&rng, b->width / 2 + 1) - b->width / 4 - b->width / 2;
    y += rng_int(&rng, b->height / 2 + 1) - b->height / 4 - b->height / 2;
    crop.x = x < 0 ? 0 : x < room_x ? x : room_x;
    crop.y = y < 0 ? 0 : y < room_y ? y : room_y;
    return crop;
}

/* Marks the cells [F, h, w] that boxes of the clip touch, the subject's last. A latent frame holds one frame, then always
 * the stride's. */
static void mark_labels(const LatentCache *c, const Bucket *b, const Clip *clip, const ClipCrop *crop, CellLabel *labels)
{
    int space = vae_stride_space(&c->config.codec->config), time = vae_stride_time(&c->config.codec->config);
    int rows = b->height / space, columns = b->width / space;
    for (int i = clip->actors * clip->frames - 1; i >= 0; i--) {
        ClipBox box = clip->boxes[i];
        const ClipActor *actor = &clip->cast[i / clip->frames];
        CellLabel label = {(uint8_t)(1 + actor->noun), (uint8_t)(1 + actor->colour), (uint8_t)(1 + (int)actor->motion)};
        CellLabel *frame = labels + (i % clip->frames + time - 1) / time * rows * columns;
        for (int y = 0; y < rows; y++)
            for (int x = 0; x < columns; x++)
                if (crop->x + x * space < box.x1 && crop->x + (x + 1) * space > box.x0 && crop->y + y * space < box.y1 &&
                    crop->y + (y + 1) * space > box.y0)
                    frame[y * columns + x] = label;
    }
}

/* Renders and encodes clips first .. first+count-1 of the shard. */
static bool encode_batch(LatentCache *c, const Bucket *b, uint64_t index, Shard *s, int first, int count, SoraError *err)
{
    size_t frames = (size_t)b->frames * (size_t)b->height * (size_t)b->width * 3;
    Clip clips[LATENT_BATCH] = {{0}};
    float *video = malloc((size_t)count * frames * sizeof *video);
    bool ok = video != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory");
    ok = ok && render_batch(c, b, index + (uint64_t)first, clips, count, err);
    for (int i = 0; i < count; i++) {
        if (ok) {
            ClipCrop crop = window(b, &clips[i], index + (uint64_t)(first + i));
            clip_to_float(&clips[i], &crop, video + (size_t)i * frames);
            mark_labels(c, b, &clips[i], &crop, s->labels + (first + i) * s->cells);
            for (int k = 0; k < CLIP_CLASSES; k++)
                s->classes[(first + i) * CLIP_CLASSES + k] = clips[i].classes[k];
        }
        ok = ok && (add_captions(s, first + i, &clips[i]) || error_set(err, SORA_ERROR_MEMORY, "out of memory"));
        clip_deinit(&clips[i]);
    }
    ok = ok && encode_frames(c, b, count, video, s->latents + first * s->latent, err);
    free(video);
    return ok;
}

/* What a shard says it was made of. */
static void origin(const LatentCache *c, int bucket, char text[40])
{
    const Bucket *b = &c->config.buckets[bucket];
    const int drawn[] = {FORMAT, bucket, b->drawn_width, b->drawn_height};
    uint64_t hash = hash64(c->config.fingerprint, drawn, sizeof drawn);
    hash = hash64(hash, &b->fps, sizeof b->fps);
    snprintf(text, 40, "%016" PRIx64, hash);
}

/* --- 8 bits: mu-law, because latents are mostly small and a few are large --- */

enum { LARGEST = 127, CODES = 256 };

/* A channel's values: knee (exp(bend |q| / 127) - 1) with the sign of q, for q from -127 to 127; code q + 128. */
typedef struct Law {
    float knee, bend;
} Law;

static float law_value(Law l, int q)
{
    float size = l.knee * expm1f(l.bend * (float)abs(q) / LARGEST);
    return q < 0 ? -size : size;
}

static int law_code(Law l, float x)
{
    int size = (int)rintf(LARGEST * log1pf(fabsf(x) / l.knee) / l.bend);
    size = size > LARGEST ? LARGEST : size;
    return x < 0 ? -size : size;
}

/* The law of a channel with the least squared error; every eighth number is enough to tell. */
static Law best_law(const Shard *s, int64_t z, int64_t channel)
{
    int64_t n = s->clips * s->latent;
    double squares = 0, least = INFINITY;
    float largest = 1e-6f;
    for (int64_t i = channel; i < n; i += z) {
        largest = fmaxf(largest, fabsf(s->latents[i]));
        squares += (double)s->latents[i] * s->latents[i];
    }
    float size = (float)sqrt(squares / (double)(n / z)) + 1e-6f;
    Law best = {0};
    for (float part = 0.125f; part <= 4; part *= 2) {
        Law l = {part * size, log1pf(largest / (part * size))};
        double error = 0;
        for (int64_t i = channel; i < n; i += 8 * z) {
            double d = (double)(s->latents[i] - law_value(l, law_code(l, s->latents[i])));
            error += d * d;
        }
        if (error < least) {
            least = error;
            best = l;
        }
    }
    return best;
}

typedef struct Rounding {
    const Shard *shard;
    int64_t z;
    uint8_t *latents;
    float *values; /* [z, CODES] */
} Rounding;

static void round_channel(void *arg, int64_t channel, int worker)
{
    const Rounding *r = arg;
    const Shard *s = r->shard;
    Law l = best_law(s, r->z, channel);
    for (int code = 0; code < CODES; code++)
        r->values[channel * CODES + code] = law_value(l, code - 128);
    for (int64_t i = channel; i < s->clips * s->latent; i += r->z)
        r->latents[i] = (uint8_t)(128 + law_code(l, s->latents[i]));
}

void latent_sample_read(const LatentSample *sample, int64_t count, int64_t z, float *out)
{
    for (int64_t i = 0; i < count; i += z)
        for (int64_t c = 0; c < z; c++)
            out[i + c] = sample->values[c * CODES + sample->latent[i + c]];
}

typedef struct ShardFile {
    const char *path, *origin;
    uint8_t *latents;
    float *values;
} ShardFile;

static bool save_shard(const Shard *s, const int64_t shape[4], ShardFile file, SoraError *err)
{
    const int64_t latents_shape[5] = {s->clips, shape[0], shape[1], shape[2], shape[3]};
    const int64_t bytes = (int64_t)s->bytes, ends = s->clips + 1, clips = s->clips;
    Tensor latents = tensor_over(file.latents, DTYPE_U8, 5, latents_shape);
    Tensor values = tensor_over(file.values, DTYPE_F32, 2, (int64_t[]){shape[3], CODES});
    const int64_t labels_shape[5] = {s->clips, shape[0], shape[1], shape[2], sizeof(CellLabel)};
    const int64_t classes_shape[2] = {s->clips, CLIP_CLASSES};
    Tensor labels = tensor_over(s->labels, DTYPE_U8, 5, labels_shape), classes = tensor_over(s->classes, DTYPE_I32, 2, classes_shape);
    Tensor captions = tensor_over(s->captions, DTYPE_U8, 1, &bytes);
    Tensor offsets = tensor_over(s->offsets, DTYPE_I32, 1, &ends), counts = tensor_over(s->counts, DTYPE_I32, 1, &clips);
    SafetensorsWriter *w = safetensors_writer_new(err);
    bool ok = w != NULL && safetensors_writer_metadata(w, "origin", file.origin, err) &&
              safetensors_writer_add(w, "latents", &latents, err) && safetensors_writer_add(w, "values", &values, err) &&
              safetensors_writer_add(w, "labels", &labels, err) && safetensors_writer_add(w, "classes", &classes, err) &&
              safetensors_writer_add(w, "captions", &captions, err) &&
              safetensors_writer_add(w, "caption_offsets", &offsets, err) &&
              safetensors_writer_add(w, "caption_counts", &counts, err) && safetensors_writer_save(w, file.path, err);
    safetensors_writer_free(w);
    return ok;
}

static bool make_shard(LatentCache *c, int bucket, int shard, const char *path, SoraError *err)
{
    const Bucket *b = &c->config.buckets[bucket];
    int64_t shape[4];
    latent_cache_shape(c, bucket, shape);
    Shard s;
    bool ok = shard_init(&s, b->shard_clips, shape) ||
              error_set(err, SORA_ERROR_MEMORY, "out of memory");
    /* Buckets see different clips: their numbers lie far apart. */
    uint64_t index = ((uint64_t)bucket << 32) + (uint64_t)shard * (uint64_t)b->shard_clips;
    for (int first = 0; ok && first < b->shard_clips; first += LATENT_BATCH) {
        int left = b->shard_clips - first;
        ok = encode_batch(c, b, index, &s, first, left < LATENT_BATCH ? left : LATENT_BATCH, err);
        if (ok && c->config.team != NULL)
            c->config.team->beat(c->config.team);
        if (ok && c->config.progress != NULL && !c->config.progress(c->config.user, first, b->shard_clips))
            ok = error_set(err, SORA_ERROR_CANCELLED, "stopped; go on with --resume");
    }
    uint8_t *latents = malloc((size_t)(b->shard_clips * s.latent));
    float *values = malloc((size_t)(shape[3] * CODES) * sizeof *values);
    ok = ok && ((latents != NULL && values != NULL) || error_set(err, SORA_ERROR_MEMORY, "out of memory"));
    char made_of[40];
    origin(c, bucket, made_of);
    if (ok) {
        pool_run(graph_pool(c->config.graph), shape[3], round_channel, &(Rounding){&s, shape[3], latents, values});
        ok = save_shard(&s, shape, (ShardFile){path, made_of, latents, values}, err);
    }
    free(latents);
    free(values);
    shard_deinit(&s);
    return ok;
}

static bool has_shape(const Tensor *t, DType dtype, int ndim, const int64_t *shape)
{
    return t != NULL && t->dtype == dtype && t->ndim == ndim && memcmp(t->shape, shape, (size_t)ndim * sizeof *shape) == 0;
}

static bool check_values(const Tensor *values)
{
    const float *value = values->data;
    for (int64_t i = 0; i < tensor_numel(values); i++)
        if (!isfinite(value[i]))
            return false;
    return true;
}

/* Every class is unknown or a value that there is; labels are checked where they are used. */
static bool check_classes(const Tensor *classes)
{
    const int32_t *value = classes->data;
    for (int64_t i = 0; i < tensor_numel(classes); i++)
        if (value[i] < -1 || value[i] >= CLIP_CLASS_SIZES[i % CLIP_CLASSES])
            return false;
    return true;
}

/* The file may be anybody's: check what is used without looking later. */
static bool check_shard(const LatentCache *c, int bucket, const Safetensors *f, SoraError *err)
{
    const Bucket *b = &c->config.buckets[bucket];
    int64_t shape[4];
    latent_cache_shape(c, bucket, shape);
    const int64_t latents_shape[5] = {b->shard_clips, shape[0], shape[1], shape[2], shape[3]};
    const int64_t labels_shape[5] = {b->shard_clips, shape[0], shape[1], shape[2], sizeof(CellLabel)};
    const int64_t classes_shape[2] = {b->shard_clips, CLIP_CLASSES}, ends = b->shard_clips + 1, clips = b->shard_clips;
    const Tensor *captions = safetensors_find(f, "captions"), *offsets = safetensors_find(f, "caption_offsets");
    const Tensor *counts = safetensors_find(f, "caption_counts"), *classes = safetensors_find(f, "classes");
    const Tensor *values = safetensors_find(f, "values");
    bool ok = has_shape(safetensors_find(f, "latents"), DTYPE_U8, 5, latents_shape) &&
              has_shape(values, DTYPE_F32, 2, (int64_t[]){shape[3], CODES}) && check_values(values) &&
              has_shape(safetensors_find(f, "labels"), DTYPE_U8, 5, labels_shape) &&
              has_shape(classes, DTYPE_I32, 2, classes_shape) && check_classes(classes) && captions != NULL &&
              captions->dtype == DTYPE_U8 && has_shape(offsets, DTYPE_I32, 1, &ends) &&
              has_shape(counts, DTYPE_I32, 1, &clips);
    const char *text = ok ? captions->data : NULL;
    const int32_t *at = ok ? offsets->data : NULL, *count = ok ? counts->data : NULL;
    int64_t size = ok ? tensor_numel(captions) : 0;
    for (int i = 0; ok && i < b->shard_clips; i++) {
        ok = at[i] >= 0 && at[i] <= at[i + 1] && at[i + 1] <= size;
        int zeros = 0;
        for (int32_t k = at[i]; ok && k < at[i + 1]; k++)
            zeros += text[k] == 0;
        ok = ok && zeros == count[i];
    }
    char made_of[40];
    origin(c, bucket, made_of);
    const char *said = safetensors_metadata(f, "origin");
    ok = ok && said != NULL && strcmp(said, made_of) == 0;
    return ok || error_set(err, SORA_ERROR_INPUT, "%s: latents of another codec, source or bucket; delete it to make them again",
                           safetensors_path(f));
}

static void shard_path(const LatentCache *c, int bucket, int shard, char path[MAX_PATH])
{
    const Bucket *b = &c->config.buckets[bucket];
    snprintf(path, MAX_PATH, "%s/%d-%dx%dx%d-%04d.safetensors", c->folder, bucket, b->width, b->height, b->frames, shard);
}

static Safetensors *open_shard(LatentCache *c, int bucket, int shard, SoraError *err)
{
    char path[MAX_PATH];
    shard_path(c, bucket, shard, path);
    if (!file_exists(path) && !make_shard(c, bucket, shard, path, err))
        return NULL;
    Safetensors *f = safetensors_open(path, err);
    if (f != NULL && !check_shard(c, bucket, f, err)) {
        safetensors_close(f);
        return NULL;
    }
    return f;
}

bool latent_cache_make(LatentCache *c, int bucket, int shard, SoraError *err)
{
    Safetensors *f = open_shard(c, bucket, shard, err);
    safetensors_close(f);
    return f != NULL;
}

/* A shard, from its owner to those who do not see it. */
static bool send_shard(Team *team, int owner, const char *path, SoraError *err)
{
    FileMap map = {0};
    bool missing = !file_exists(path), ok = team->rank != owner || file_map_open(&map, path, err);
    double lack = missing;
    uint64_t size = map.size;
    ok = ok && team->sum(team, &lack, 1, err);
    if (ok && lack > 0) {
        ok = team->share(team, owner, &size, sizeof size, err);
        void *bytes = ok ? malloc(size + 1) : NULL;
        ok = ok && (bytes != NULL || error_no_memory(err));
        if (ok && team->rank == owner)
            memcpy(bytes, map.data, size);
        FileWriter w;
        ok = ok && team->share(team, owner, bytes, size, err);
        if (ok && missing && file_writer_open(&w, path, err)) {
            fwrite(bytes, 1, size, w.stream); /* commit finds its errors */
            ok = file_writer_commit(&w, err);
        } else if (missing) {
            ok = false;
        }
        free(bytes);
    }
    file_map_close(&map);
    return ok;
}

bool latent_cache_team(LatentCache *c, int64_t count, SoraError *err)
{
    Team *team = c->config.team;
    if (team == NULL || team->size == 1 || count <= c->together)
        return true;
    for (int pass = 0; pass < 2; pass++) { /* all make theirs, then they are sent */
        int number = 0;
        for (int64_t shard = c->together; shard < count; shard++)
            for (int bucket = 0; bucket < c->config.bucket_count; bucket++) {
                if (shard >= c->config.buckets[bucket].shards)
                    continue;
                int owner = number++ % team->size;
                char path[MAX_PATH];
                shard_path(c, bucket, (int)shard, path);
                if (pass == 0 ? owner == team->rank && !latent_cache_make(c, bucket, (int)shard, err)
                              : !send_shard(team, owner, path, err))
                    return false;
            }
    }
    c->together = count;
    return true;
}

bool latent_cache_estimate(LatentCache *c, int bucket, int64_t count, double *bytes, double *seconds, SoraError *err)
{
    enum { CAPTIONS = 1000 }; /* bytes of a clip's, about */
    const Bucket *b = &c->config.buckets[bucket];
    int64_t shape[4], cells;
    latent_cache_shape(c, bucket, shape);
    cells = shape[0] * shape[1] * shape[2];
    int shards = (int)(count < b->shards ? count : b->shards);
    double clips = (double)b->shard_clips * shards;
    *bytes = clips * (double)(cells * shape[3] + cells * (int64_t)sizeof(CellLabel) + CLIP_CLASSES * (int64_t)sizeof(int32_t) + CAPTIONS);
    if (seconds == NULL) { /* what the network takes is counted by the graph's backend */
        size_t frames = (size_t)b->frames * (size_t)b->height * (size_t)b->width * 3;
        float *video = calloc(LATENT_BATCH, (frames + (size_t)(cells * shape[3])) * sizeof *video);
        bool counted = video != NULL ? encode_frames(c, b, LATENT_BATCH, video, video + LATENT_BATCH * frames, err) : error_no_memory(err);
        free(video);
        return counted;
    }
    int missing = 0;
    for (int i = 0; i < shards; i++) {
        char path[MAX_PATH];
        shard_path(c, bucket, i, path);
        missing += !file_exists(path);
    }
    int some = b->shard_clips < LATENT_BATCH ? b->shard_clips : LATENT_BATCH;
    Shard s;
    bool ok = shard_init(&s, some, shape) || error_no_memory(err);
    double begun = clock_seconds();
    ok = ok && (missing == 0 || encode_batch(c, b, 0, &s, 0, some, err));
    *seconds = (clock_seconds() - begun) / some * b->shard_clips * missing;
    shard_deinit(&s);
    return ok;
}

bool latent_cache_get(LatentCache *c, int bucket, int shard, int clip, LatentSample *sample, SoraError *err)
{
    Safetensors **slot = &c->shards[c->first_shard[bucket] + shard];
    if (*slot == NULL && (*slot = open_shard(c, bucket, shard, err)) == NULL)
        return false;
    int64_t shape[4];
    latent_cache_shape(c, bucket, shape);
    const int32_t *offsets = safetensors_find(*slot, "caption_offsets")->data;
    const int32_t *counts = safetensors_find(*slot, "caption_counts")->data;
    const uint8_t *latents = safetensors_find(*slot, "latents")->data;
    *sample = (LatentSample){.latent = latents + clip * shape[0] * shape[1] * shape[2] * shape[3],
                             .values = safetensors_find(*slot, "values")->data,
                             .labels = (const CellLabel *)safetensors_find(*slot, "labels")->data + clip * shape[0] * shape[1] * shape[2],
                             .classes = (const int32_t *)safetensors_find(*slot, "classes")->data + clip * CLIP_CLASSES,
                             .captions = (const char *)safetensors_find(*slot, "captions")->data + offsets[clip],
                             .caption_count = counts[clip]};
    return true;
}
