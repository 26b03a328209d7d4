/* Fuzz target: WAV files (formats/wav.h). */
#include "fuzz/fuzz.h"

#include "formats/wav.h"

static cst_status fuzz_read(const char *path, cst_error *error)
{
    cst_wav wav;
    CST_TRY(cst_wav_read(path, &wav, error));
    volatile double sum = 0; /* volatile: the compiler must not drop the reads */
    for (size_t i = 0; i < wav.n; i++) sum = sum + wav.samples[i];
    cst_wav_clear(&wav);
    return CST_OK;
}

/* One file per kind of header: 16-bit integers, 64-bit floats after another chunk, the extensible format with 24
 * bits, and a stream of 8 bits without a length. */
static void fuzz_seeds(void)
{
    static const char pcm16[] = "RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0data\x8\0\0\0"
                                "\0\x80\0\0\xff\x7f\xff\xff";
    static const char float64[] =
        "RIFF\x36\0\0\0WAVELIST\3\0\0\0abc\0fmt \x10\0\0\0\3\0\1\0\x40\x1f\0\0\0\xfa\0\0\x8\0\x40\0"
        "data\x8\0\0\0\0\0\0\0\0\0\xf8\xbf";
    static const char extensible[] =
        "RIFF\x42\0\0\0WAVEfmt \x28\0\0\0\xfe\xff\1\0\x80\x3e\0\0\x80\xbb\0\0\3\0\x18\0\x16\0"
        "\x18\0\4\0\0\0\1\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
        "data\x6\0\0\0\0\0\x80\xff\xff\x7f";
    static const char streamed[] = "RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\x80\x3e\0\0\1\0\x8\0"
                                   "data\xff\xff\xff\xff\0\x80\xff";
    fuzz_seed("pcm16", pcm16, sizeof pcm16 - 1);
    fuzz_seed("float64", float64, sizeof float64 - 1);
    fuzz_seed("extensible", extensible, sizeof extensible - 1);
    fuzz_seed("streamed", streamed, sizeof streamed - 1);
}
