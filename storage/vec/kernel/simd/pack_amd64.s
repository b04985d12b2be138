#include "textflag.h"

// func packInts32(out *uint32, v *int64, width, base uint64)
//
// 64 steps of 16 values each, one per lane. Y0 and Y1 are the words that fill up,
// DX the bits that they hold. A lane's last value ends with its last word.
TEXT ·packInts32(SB), NOSPLIT, $0-32
	MOVQ         out+0(FP), DI
	MOVQ         v+8(FP), SI
	MOVQ         width+16(FP), BX
	MOVQ         base+24(FP), AX
	VMOVQ        AX, X6
	VPBROADCASTD X6, Y6
	MOVQ         $1, AX
	MOVQ         BX, CX
	SHLQ         CX, AX
	DECQ         AX
	VMOVQ        AX, X7
	VPBROADCASTD X7, Y7
	VPXOR        Y0, Y0, Y0
	VPXOR        Y1, Y1, Y1
	XORQ         DX, DX
	MOVQ         $64, R9

pack32:
	VMOVUPS (SI), Y2
	VMOVUPS 32(SI), Y3
	VMOVUPS 64(SI), Y4
	VMOVUPS 96(SI), Y5
	VSHUFPS $0x88, Y3, Y2, Y2
	VSHUFPS $0x88, Y5, Y4, Y3
	VPERMQ  $0xD8, Y2, Y2
	VPERMQ  $0xD8, Y3, Y3
	VPSUBD  Y6, Y2, Y2
	VPSUBD  Y6, Y3, Y3
	VPAND   Y7, Y2, Y2
	VPAND   Y7, Y3, Y3
	ADDQ    $128, SI
	VMOVQ   DX, X8
	VPSLLD  X8, Y2, Y4
	VPSLLD  X8, Y3, Y5
	VPOR    Y4, Y0, Y0
	VPOR    Y5, Y1, Y1
	ADDQ    BX, DX
	CMPQ    DX, $32
	JLT     next32
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	ADDQ    $64, DI
	SUBQ    $32, DX
	MOVQ    BX, R10
	SUBQ    DX, R10
	VMOVQ   R10, X9
	VPSRLD  X9, Y2, Y0
	VPSRLD  X9, Y3, Y1

next32:
	DECQ R9
	JNZ  pack32
	VZEROUPPER
	RET

// func packInts64(out *uint64, v *int64, width, base uint64)
TEXT ·packInts64(SB), NOSPLIT, $0-32
	MOVQ         out+0(FP), DI
	MOVQ         v+8(FP), SI
	MOVQ         width+16(FP), BX
	MOVQ         base+24(FP), AX
	VMOVQ        AX, X6
	VPBROADCASTQ X6, Y6
	MOVQ         $64, CX
	SUBQ         BX, CX
	MOVQ         $-1, AX
	SHRQ         CX, AX
	VMOVQ        AX, X7
	VPBROADCASTQ X7, Y7
	VPXOR        Y0, Y0, Y0
	VPXOR        Y1, Y1, Y1
	XORQ         DX, DX
	MOVQ         $128, R9

pack64:
	VMOVDQU (SI), Y2
	VMOVDQU 32(SI), Y3
	VPSUBQ  Y6, Y2, Y2
	VPSUBQ  Y6, Y3, Y3
	VPAND   Y7, Y2, Y2
	VPAND   Y7, Y3, Y3
	ADDQ    $64, SI
	VMOVQ   DX, X8
	VPSLLQ  X8, Y2, Y4
	VPSLLQ  X8, Y3, Y5
	VPOR    Y4, Y0, Y0
	VPOR    Y5, Y1, Y1
	ADDQ    BX, DX
	CMPQ    DX, $64
	JLT     next64
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	ADDQ    $64, DI
	SUBQ    $64, DX
	MOVQ    BX, R10
	SUBQ    DX, R10
	VMOVQ   R10, X9
	VPSRLQ  X9, Y2, Y0
	VPSRLQ  X9, Y3, Y1

next64:
	DECQ R9
	JNZ  pack64
	VZEROUPPER
	RET
