/** Most regular tiles of NVLM's rule. */
export const MAX_TILES = 12;
/** Most of any family's rule: what a command takes before it knows the model. */
export const MAX_TILES_ANYWHERE = 64;
/** 14-pixel patches, merged two by two. */
export const TILE_STEP = 28;
/** Four times the paper's 448; beyond it, 12 tiles fill hundreds of megabytes. */
export const MAX_TILE_SIZE = 1792;
