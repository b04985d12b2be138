#include "textflag.h"

// The three functions below select 8 rows a step: compare to 8 bits, look the
// bits up as positions 0..7 (lut), add the step's first row, store 16 bytes,
// advance by the number of bits. The store may write up to 8 positions beyond
// the count, which is at most the row reached: len(dst) ≥ 8·groups is enough.
//
// flip is the sign bit for unsigned values (lo and hi are flipped already), else
// 0; want is 0xFF to select lo ≤ v ≤ hi, 0 for the others.

// func select32(dst *uint16, v *uint32, groups uint64, lo, hi, flip uint32, want uint64, lut *[256][8]uint16) (n uint64)
TEXT ·select32(SB), NOSPLIT, $0-64
	MOVQ         dst+0(FP), DI
	MOVQ         v+8(FP), SI
	MOVQ         groups+16(FP), CX
	MOVL         lo+24(FP), AX
	VMOVD        AX, X0
	VPBROADCASTD X0, Y0
	MOVL         hi+28(FP), AX
	VMOVD        AX, X1
	VPBROADCASTD X1, Y1
	MOVL         flip+32(FP), AX
	VMOVD        AX, X2
	VPBROADCASTD X2, Y2
	MOVQ         want+40(FP), R8
	MOVQ         lut+48(FP), R9
	XORQ         DX, DX
	VPXOR        X3, X3, X3
	MOVL         $8, AX
	VMOVD        AX, X4
	VPBROADCASTW X4, X4
	TESTQ        CX, CX
	JZ           done32

loop32:
	VPXOR     (SI), Y2, Y5
	VPCMPGTD  Y5, Y0, Y6
	VPCMPGTD  Y1, Y5, Y7
	VPOR      Y6, Y7, Y6
	VMOVMSKPS Y6, AX
	XORQ      R8, AX
	MOVQ      AX, BX
	SHLQ      $4, BX
	VPADDW    (R9)(BX*1), X3, X8
	VMOVDQU   X8, (DI)(DX*2)
	POPCNTQ   AX, AX
	ADDQ      AX, DX
	VPADDW    X4, X3, X3
	ADDQ      $32, SI
	DECQ      CX
	JNZ       loop32

done32:
	MOVQ DX, n+56(FP)
	VZEROUPPER
	RET

// func select64(dst *uint16, v *uint64, groups, lo, hi, flip, want uint64, lut *[256][8]uint16) (n uint64)
TEXT ·select64(SB), NOSPLIT, $0-72
	MOVQ         dst+0(FP), DI
	MOVQ         v+8(FP), SI
	MOVQ         groups+16(FP), CX
	MOVQ         lo+24(FP), AX
	VMOVQ        AX, X0
	VPBROADCASTQ X0, Y0
	MOVQ         hi+32(FP), AX
	VMOVQ        AX, X1
	VPBROADCASTQ X1, Y1
	MOVQ         flip+40(FP), AX
	VMOVQ        AX, X2
	VPBROADCASTQ X2, Y2
	MOVQ         want+48(FP), R8
	MOVQ         lut+56(FP), R9
	XORQ         DX, DX
	VPXOR        X3, X3, X3
	MOVL         $8, AX
	VMOVD        AX, X4
	VPBROADCASTW X4, X4
	TESTQ        CX, CX
	JZ           done64

loop64:
	VPXOR     (SI), Y2, Y5
	VPXOR     32(SI), Y2, Y9
	VPCMPGTQ  Y5, Y0, Y6
	VPCMPGTQ  Y1, Y5, Y7
	VPOR      Y6, Y7, Y6
	VMOVMSKPD Y6, AX
	VPCMPGTQ  Y9, Y0, Y6
	VPCMPGTQ  Y1, Y9, Y7
	VPOR      Y6, Y7, Y6
	VMOVMSKPD Y6, BX
	SHLQ      $4, BX
	ORQ       BX, AX
	XORQ      R8, AX
	MOVQ      AX, BX
	SHLQ      $4, BX
	VPADDW    (R9)(BX*1), X3, X8
	VMOVDQU   X8, (DI)(DX*2)
	POPCNTQ   AX, AX
	ADDQ      AX, DX
	VPADDW    X4, X3, X3
	ADDQ      $64, SI
	DECQ      CX
	JNZ       loop64

done64:
	MOVQ DX, n+64(FP)
	VZEROUPPER
	RET

// func select16(dst *uint16, v *uint16, groups uint64, lo, hi, flip uint32, want uint64, lut *[256][8]uint16) (n uint64)
TEXT ·select16(SB), NOSPLIT, $0-64
	MOVQ         dst+0(FP), DI
	MOVQ         v+8(FP), SI
	MOVQ         groups+16(FP), CX
	MOVL         lo+24(FP), AX
	VMOVD        AX, X0
	VPBROADCASTW X0, X0
	MOVL         hi+28(FP), AX
	VMOVD        AX, X1
	VPBROADCASTW X1, X1
	MOVL         flip+32(FP), AX
	VMOVD        AX, X2
	VPBROADCASTW X2, X2
	MOVQ         want+40(FP), R8
	MOVQ         lut+48(FP), R9
	XORQ         DX, DX
	VPXOR        X3, X3, X3
	MOVL         $8, AX
	VMOVD        AX, X4
	VPBROADCASTW X4, X4
	TESTQ        CX, CX
	JZ           done16

loop16:
	VPXOR     (SI), X2, X5
	VPCMPGTW  X5, X0, X6
	VPCMPGTW  X1, X5, X7
	VPOR      X6, X7, X6
	VPACKSSWB X6, X6, X6
	VPMOVMSKB X6, AX
	ANDQ      $0xFF, AX
	XORQ      R8, AX
	MOVQ      AX, BX
	SHLQ      $4, BX
	VPADDW    (R9)(BX*1), X3, X8
	VMOVDQU   X8, (DI)(DX*2)
	POPCNTQ   AX, AX
	ADDQ      AX, DX
	VPADDW    X4, X3, X3
	ADDQ      $16, SI
	DECQ      CX
	JNZ       loop16

done16:
	MOVQ DX, n+56(FP)
	RET
