/* XMP (ISO 16684-1): a title and a description as XML, which JPEG and WebP keep. */
#include <stdlib.h>
#include <string.h>
#include "media/picture.h"

static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '<')
            fputs("&lt;", out);
        else if (c == '>')
            fputs("&gt;", out);
        else if (c == '&')
            fputs("&amp;", out);
        else if (c >= ' ' || c == '\t' || c == '\n') /* XML has no other control characters */
            fputc(c, out);
    }
}

static void put_property(FILE *out, const char *name, const char *text)
{
    if (text == NULL)
        return;
    fprintf(out, "<dc:%s><rdf:Alt><rdf:li xml:lang=\"x-default\">", name);
    put_escaped(out, text);
    fprintf(out, "</rdf:li></rdf:Alt></dc:%s>", name);
}

char *xmp_make(const char *title, const char *description, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    if (out == NULL)
        return NULL;
    fputs("<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"
          "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
          "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
          "<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">",
          out);
    put_property(out, "title", title);
    put_property(out, "description", description);
    fputs("</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
