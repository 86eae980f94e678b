"""Encoders that are programs, and the ways in which each is called: IN and OUT stand for the files."""

from __future__ import annotations

from typing import Final

CJPEG: Final = (
    "-quality 90 -outfile OUT.jpg IN.ppm",
    "-quality 75 -progressive -outfile OUT.jpg IN.ppm",
    "-quality 85 -optimize -outfile OUT.jpg IN.ppm",
    "-quality 95 -sample 1x1 -outfile OUT.jpg IN.ppm",
    "-quality 80 -sample 4x1 -outfile OUT.jpg IN.ppm",
    "-quality 80 -sample 1x2 -outfile OUT.jpg IN.ppm",
    "-grayscale -optimize -outfile OUT.jpg IN.ppm",
    "-restart 1 -outfile OUT.jpg IN.ppm",
    "-restart 8B -progressive -outfile OUT.jpg IN.ppm",
    "-rgb -outfile OUT.jpg IN.ppm",
    "-quality 1 -optimize -outfile OUT.jpg IN.ppm",
    "-quality 100 -dct float -outfile OUT.jpg IN.ppm",
    "-quality 85 -arithmetic -outfile OUT.jpg IN.ppm",
    "-quality 85 -arithmetic -progressive -outfile OUT.jpg IN.ppm",
)
JPEGTRAN: Final = (
    "-progressive -outfile OUT.jpg IN.jpg",
    "-optimize -rotate 90 -trim -outfile OUT.jpg IN.jpg",
    "-grayscale -outfile OUT.jpg IN.jpg",
    "-restart 2 -optimize -outfile OUT.jpg IN.jpg",
    "-crop 160x120+16+16 -outfile OUT.jpg IN.jpg",
    "-arithmetic -outfile OUT.jpg IN.jpg",
)
CONVERT: Final = (
    "IN.png -quality 92 OUT.jpg",
    "IN.png -interlace JPEG OUT.jpg",
    "IN.png -sampling-factor 4x1 OUT.jpg",
    "IN.png -colorspace CMYK OUT.jpg",
    "IN.png -colorspace Gray OUT.jpg",
    "IN.png PNG8:OUT.png",
    "IN.png PNG24:OUT.png",
    "IN.png PNG64:OUT.png",
    "IN.alpha -interlace PNG PNG32:OUT.png",
    "IN.png -monochrome OUT.png",
    "IN.png -colors 4 OUT.png",
    "IN.png -colorspace Gray -depth 4 OUT.png",
    "IN.png BMP2:OUT.bmp",
    "IN.png BMP3:OUT.bmp",
    "IN.alpha OUT.bmp",
    "IN.png -colors 200 -compress RLE BMP3:OUT.bmp",
    "IN.png -colors 16 BMP3:OUT.bmp",
    "IN.png -monochrome BMP3:OUT.bmp",
    "IN.png -quality 80 OUT.webp",
    "IN.alpha -define webp:lossless=true OUT.webp",
    "IN.png -compress Zip -define tiff:tile-geometry=128x128 OUT.tif",
    "IN.png -compress RLE -endian MSB OUT.tif",
    "IN.png -compress None -interlace Plane OUT.tif",
    "IN.png -monochrome -compress Group4 OUT.tif",
    "IN.png -depth 16 -compress LZW TIFF64:OUT.tif",
)
FFMPEG: Final = tuple(
    f"-v error -i IN.png -frames:v 1 -update 1 {way}"
    for way in (
        "-q:v 3 OUT.jpg",
        "-q:v 2 -pix_fmt yuvj444p OUT.jpg",
        "-q:v 8 -pix_fmt yuvj422p -huffman default OUT.jpg",
        "-pix_fmt rgb24 -pred mixed OUT.png",
        "-pix_fmt rgb48be OUT.png",
        "-pix_fmt gray16be OUT.png",
        "-pix_fmt monob OUT.png",
        "-pix_fmt pal8 OUT.png",
        "-pix_fmt bgr24 OUT.bmp",
        "-pix_fmt bgra OUT.bmp",
        "-pix_fmt rgb565le OUT.bmp",
        "-pix_fmt rgb555le OUT.bmp",
        "-pix_fmt pal8 OUT.bmp",
        "-pix_fmt monob OUT.bmp",
        "-compression_algo raw OUT.tif",
        "-compression_algo packbits OUT.tif",
        "-compression_algo lzw OUT.tif",
        "-compression_algo deflate -pix_fmt rgb48le OUT.tif",
        "-c:v libwebp -quality 75 OUT.webp",
        "-c:v libwebp -lossless 1 OUT.webp",
    )
)
GSTREAMER: Final = tuple(
    f"-q filesrc location=IN.png ! pngdec ! videoconvert ! {way}"
    for way in (
        "jpegenc quality=85 ! filesink location=OUT.jpg",
        "jpegenc quality=100 ! filesink location=OUT.jpg",
        "pngenc ! filesink location=OUT.png",
        "pngenc compression-level=0 ! filesink location=OUT.png",
        "webpenc quality=85 ! filesink location=OUT.webp",
        "webpenc lossless=true speed=0 ! filesink location=OUT.webp",
    )
)
TIFFCP: Final = (
    "-c none IN.tif OUT.tif",
    "-c none -r 1 IN.tif OUT.tif",
    "-c none -B -p separate IN.tif OUT.tif",
    "-c none -t -w 128 -l 128 IN.tif OUT.tif",
    "-c lzw:2 IN.tif OUT.tif",
    "-c lzw -8 -B IN.tif OUT.tif",
    "-c zip -p separate -t IN.tif OUT.tif",
    "-c packbits -r 16 IN.tif OUT.tif",
    "-c jpeg -r 16 IN.tif OUT.tif",
    "-c jpeg -t -8 IN.tif OUT.tif",
)
OPTIPNG: Final = ("-quiet -o1 -out OUT.png IN.png", "-quiet -o1 -i1 -out OUT.png IN.alpha")
PNGCRUSH: Final = ("-q -m 4 IN.png OUT.png",)
CWEBP: Final = (
    "-quiet -q 80 IN.png -o OUT.webp",
    "-quiet -q 95 -m 0 IN.png -o OUT.webp",
    "-quiet -q 50 -m 6 IN.png -o OUT.webp",
    "-quiet -q 5 -segments 1 IN.png -o OUT.webp",
    "-quiet -lossless -z 1 IN.png -o OUT.webp",
    "-quiet -near_lossless 60 IN.png -o OUT.webp",
    "-quiet -q 80 -alpha_q 50 IN.alpha -o OUT.webp",
    "-quiet -lossless -exact -z 3 IN.alpha -o OUT.webp",
)
