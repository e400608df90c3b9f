/* The one way in which a video leaves: frames are encoded as they come, the file is signed before it gets its name, and
 * `sora trace` learns what it looks like. For the command line, for sora.h, and for whoever makes videos of videos: the
 * inputs, with their roles, are in the signing.
 *
 *     Delivery d;
 *     delivery_init(&d, &(DeliveryPlan){.path = "dog.mp4", .credentials = credentials, .signing = {.model = name}});
 *     ok = ... delivery_frame(&d, video, i, err) for all frames ... && delivery_commit(&d, video, err);
 *     delivery_deinit(&d); */
#ifndef SORA_DELIVER_DELIVER_H
#define SORA_DELIVER_DELIVER_H

#include <sora.h>
#include "media/video_writer.h"
#include "trace/fingerprint.h"

/* What it points to is the caller's and must stay until the delivery is over. */
typedef struct DeliveryPlan {
    const char *path;
    const SoraCredentials *credentials; /* NULL: the file carries none */
    SoraSigning signing;                /* the title is the file's name unless it says another */
    int scale;                          /* the file's pixels for each of the video's, along each side; 0: 1 */
    const char *index;                  /* of `sora trace`, which learns the video; NULL: it does not */
    bool keep; /* a file that has got the name meanwhile stays: NAME-2.mp4 and so on is written instead */
} DeliveryPlan;

typedef struct Delivery {
    DeliveryPlan plan; /* may be filled up to the first frame, or the first finish */
    SoraSigned result; /* after commit, or finish; of several pictures the last one's */
    char *path;        /* after commit: the file's name */
    SoraError silent;  /* after the first frame: why the sound that the video should have is not in the file; else no error */
    VideoWriter *writer;
    Fingerprint fingerprint;
    FileFinish finish; /* signs a file by its temporary name; for files that are written in other ways */
} Delivery;

void delivery_init(Delivery *d, const DeliveryPlan *plan); /* d must not be moved afterwards */

/* Frame i of the video, in order. The first one makes the file. */
bool delivery_frame(Delivery *d, const SoraVideo *video, int i, SoraError *err);

/* Signs the file and gives it its name. That `sora trace` cannot learn it is no failure, but in result.untraced; nor is a
 * missing time-stamp, which is in result.note. A service that failed once is not asked again. */
bool delivery_commit(Delivery *d, const SoraVideo *video, SoraError *err);

void delivery_deinit(Delivery *d); /* without commit there is no file */

#endif
