package fn

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
)

// hashFuncs are md5 and the SHA-2 family.
func hashFuncs() []*Func {
	md5hex := text1(func(dst, s []byte) []byte {
		h := md5.Sum(s)
		return hex.AppendEncode(dst, h[:])
	})
	return []*Func{
		def("md5", tText, md5hex, tText), def("md5", tText, md5hex, tBytea),
		def("sha224", tBytea, text1(func(dst, s []byte) []byte { h := sha256.Sum224(s); return append(dst, h[:]...) }), tBytea),
		def("sha256", tBytea, text1(func(dst, s []byte) []byte { h := sha256.Sum256(s); return append(dst, h[:]...) }), tBytea),
		def("sha384", tBytea, text1(func(dst, s []byte) []byte { h := sha512.Sum384(s); return append(dst, h[:]...) }), tBytea),
		def("sha512", tBytea, text1(func(dst, s []byte) []byte { h := sha512.Sum512(s); return append(dst, h[:]...) }), tBytea),
	}
}
