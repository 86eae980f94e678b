BEGIN TRANSACTION;
CREATE TABLE agent (
            key text primary key,
            value text not null
        ) strict;
INSERT INTO "agent" VALUES('project_id','p1');
INSERT INTO "agent" VALUES('base_url','BASE_URL');
INSERT INTO "agent" VALUES('watch_dir','WATCH_DIR');
INSERT INTO "agent" VALUES('reference_id_template','{path}~{digest}');
INSERT INTO "agent" VALUES('version','0.1.0');
INSERT INTO "agent" VALUES('pid','30611');
INSERT INTO "agent" VALUES('started_at','2026-11-28T11:19:32.898Z');
INSERT INTO "agent" VALUES('heartbeat_at','2026-11-28T11:19:32.954Z');
INSERT INTO "agent" VALUES('blocked','');
INSERT INTO "agent" VALUES('watch_dir_identity','65024:2162771');
INSERT INTO "agent" VALUES('spend_limit','');
INSERT INTO "agent" VALUES('spend_limit_until','');
INSERT INTO "agent" VALUES('watch_mode','events');
INSERT INTO "agent" VALUES('last_scan_at','2026-11-28T11:19:32.953Z');
CREATE TABLE batches (
            name text primary key,
            batch_id text not null,
            created_at text not null
        ) strict;
CREATE TABLE counts (
            state text primary key,
            jobs integer not null,
            frames integer not null
        ) strict;
INSERT INTO "counts" VALUES('settling',0,0);
INSERT INTO "counts" VALUES('ignored',2,3);
INSERT INTO "counts" VALUES('pending',0,0);
INSERT INTO "counts" VALUES('held',2,15);
INSERT INTO "counts" VALUES('submitting',0,0);
INSERT INTO "counts" VALUES('submitted',6,10);
INSERT INTO "counts" VALUES('invalid',1,1);
INSERT INTO "counts" VALUES('completed',2,5);
CREATE TABLE events (
            id integer primary key,
            at text not null,
            job integer references jobs (id),
            event text not null,
            detail text not null default ''
        ) strict;
INSERT INTO "events" VALUES(1,'2026-11-28T11:19:31.810Z',1,'ignored','there before the baseline');
INSERT INTO "events" VALUES(2,'2026-11-28T11:19:31.811Z',2,'ignored','there before the baseline');
INSERT INTO "events" VALUES(3,'2026-11-28T11:19:31.875Z',NULL,'started','version 0.1.0');
INSERT INTO "events" VALUES(4,'2026-11-28T11:19:31.990Z',3,'pending','');
INSERT INTO "events" VALUES(5,'2026-11-28T11:19:31.990Z',4,'pending','');
INSERT INTO "events" VALUES(6,'2026-11-28T11:19:31.990Z',5,'pending','');
INSERT INTO "events" VALUES(7,'2026-11-28T11:19:31.990Z',10,'pending','');
INSERT INTO "events" VALUES(8,'2026-11-28T11:19:31.992Z',6,'pending','');
INSERT INTO "events" VALUES(9,'2026-11-28T11:19:31.992Z',7,'pending','');
INSERT INTO "events" VALUES(10,'2026-11-28T11:19:31.993Z',8,'held','frame 71 is missing (60 to 72, step 1): ''retry'' sends it as it is');
INSERT INTO "events" VALUES(11,'2026-11-28T11:19:31.993Z',9,'pending','');
INSERT INTO "events" VALUES(12,'2026-11-28T11:19:31.993Z',11,'pending','');
INSERT INTO "events" VALUES(13,'2026-11-28T11:19:31.994Z',3,'submitting','try 1');
INSERT INTO "events" VALUES(14,'2026-11-28T11:19:31.994Z',4,'submitting','try 1');
INSERT INTO "events" VALUES(15,'2026-11-28T11:19:31.994Z',5,'submitting','try 1');
INSERT INTO "events" VALUES(16,'2026-11-28T11:19:31.994Z',10,'submitting','try 1');
INSERT INTO "events" VALUES(17,'2026-11-28T11:19:31.995Z',6,'submitting','try 1');
INSERT INTO "events" VALUES(18,'2026-11-28T11:19:31.995Z',7,'submitting','try 1');
INSERT INTO "events" VALUES(19,'2026-11-28T11:19:31.995Z',9,'submitting','try 1');
INSERT INTO "events" VALUES(20,'2026-11-28T11:19:31.995Z',11,'submitting','try 1');
INSERT INTO "events" VALUES(21,'2026-11-28T11:19:32.000Z',4,'submitted','1a2b8f1f-f1fd-42a2-9755-d4c13a902931');
INSERT INTO "events" VALUES(22,'2026-11-28T11:19:32.002Z',3,'submitted','e4b06ce6-0741-47a8-bce4-2c8218072e8c');
INSERT INTO "events" VALUES(23,'2026-11-28T11:19:32.002Z',5,'submitted','b9d179e0-6c0f-44f5-b813-0c4237730edf');
INSERT INTO "events" VALUES(24,'2026-11-28T11:19:32.004Z',11,'submitted','f3c64af7-75a8-4294-82cd-789a380208a9');
INSERT INTO "events" VALUES(25,'2026-11-28T11:19:32.004Z',9,'submitted','3099fdf5-ab99-454a-a901-e35cd47d380d');
INSERT INTO "events" VALUES(26,'2026-11-28T11:19:32.008Z',6,'submitted','4be03db0-dc25-44bd-b940-67edfe175330');
INSERT INTO "events" VALUES(27,'2026-11-28T11:19:32.009Z',7,'submitted','be6521cc-3e24-44e3-baf0-27bc08d6af57');
INSERT INTO "events" VALUES(28,'2026-11-28T11:19:32.010Z',10,'submitted','a9ec0806-705f-4a16-9622-bd795fec898f');
INSERT INTO "events" VALUES(29,'2026-11-28T11:19:32.891Z',NULL,'stopped','');
INSERT INTO "events" VALUES(30,'2026-11-28T11:19:32.899Z',NULL,'started','version 0.1.0');
INSERT INTO "events" VALUES(31,'2026-11-28T11:19:33.053Z',12,'invalid','empty file: 0 bytes; copy it again');
INSERT INTO "events" VALUES(32,'2026-11-28T11:19:33.055Z',14,'held','1 frame added after submission: f42.bmp');
INSERT INTO "events" VALUES(33,'2026-11-28T11:19:33.055Z',9,'moved','moved -> moved here');
INSERT INTO "events" VALUES(34,'2026-11-28T11:19:33.954Z',NULL,'stopped','');
CREATE TABLE frames (
            job integer not null references jobs (id) on delete cascade,
            position integer not null,
            frame_id text not null,
            path text not null,
            size integer not null,
            mtime_ns integer not null,
            digest text,
            src text,
            ctime_ns integer not null,
            inode integer not null,
            primary key (job, position)
        ) strict, without rowid;
INSERT INTO "frames" VALUES(1,0,'old.bmp','old.bmp',102,1795864771493142089,'945d3df42bb452a97faccd6ae94964d80763c26115c4a15f832cceea1066b586',NULL,1795864771493142089,2163476);
INSERT INTO "frames" VALUES(2,0,'f1.bmp','archive/f1.bmp',102,1795864771493064974,'a9d659e3bd942f5c2853f6731969c528c01e4b91b411fff4ae25a9bf77fe39c7',NULL,1795864771493064974,2163384);
INSERT INTO "frames" VALUES(2,1,'f2.bmp','archive/f2.bmp',102,1795864771493107988,'1de8630128c11b1057eff2848b731df5846b4fc92f6bb7644028e0780055c699',NULL,1795864771493107988,2163467);
INSERT INTO "frames" VALUES(3,0,'a.bmp','a.bmp',102,1795864771869943773,'b7d9ea7ed353afdb70d1eba9a2d95801b2519ba3683bbed279488385c0c7291b','http://127.0.0.1:9/a.bmp',1795864771869943773,2163508);
INSERT INTO "frames" VALUES(4,0,'b.bmp','b.bmp',102,1795864771870000177,'b79d77c38e187e38a6e92badb89f4eb8e2abc93311457ff1d9fadb938268c4df','http://127.0.0.1:9/b.bmp',1795864771870000177,2163523);
INSERT INTO "frames" VALUES(5,0,'gone.bmp','gone.bmp',102,1795864771870686290,'d1963a731002b0d368852432baa2c6b945ec673d892f5954c0ace1c28a9e6525','http://127.0.0.1:9/gone.bmp',1795864771870686290,2163826);
INSERT INTO "frames" VALUES(6,0,'f40.bmp','changed/f40.bmp',102,1795864771870578660,'e602558a9d33af484b3fef0c9f0cc88fd10fe5566f49b5e0b5d51095eea256b4','http://127.0.0.1:9/changed/f40.bmp',1795864771870578660,2163794);
INSERT INTO "frames" VALUES(6,1,'f41.bmp','changed/f41.bmp',102,1795864771870631208,'9821506a365a4db69859a1bda601811105d5d75f548df2c9abef8ae6dc45f016','http://127.0.0.1:9/changed/f41.bmp',1795864771870631208,2163810);
INSERT INTO "frames" VALUES(7,0,'f20.bmp','drive/f20.bmp',102,1795864771870136951,'666f5cccbe06302269c6f618476739093a7f6c1956b5a7a18616e34a767a91ab','http://127.0.0.1:9/drive/f20.bmp',1795864771870136951,2163604);
INSERT INTO "frames" VALUES(7,1,'f21.bmp','drive/f21.bmp',102,1795864771870181017,'04adb1a7122c7bc80c9f458f20c41897e345d389f0e3fa816c7a83f818a87380','http://127.0.0.1:9/drive/f21.bmp',1795864771870181017,2163618);
INSERT INTO "frames" VALUES(7,2,'f22.bmp','drive/f22.bmp',102,1795864771870221046,'4923b080075eea12ddbfda9c5aa97678aa567aeb9390be0f6f0f9fdc878885ba','http://127.0.0.1:9/drive/f22.bmp',1795864771870221046,2163635);
INSERT INTO "frames" VALUES(7,3,'f23.bmp','drive/f23.bmp',102,1795864771870262809,'25a43f906eb8682922a8f2af717887b713be7b31b13835a894eea0556937ac67','http://127.0.0.1:9/drive/f23.bmp',1795864771870262809,2163671);
INSERT INTO "frames" VALUES(8,0,'f60.bmp','gaps/f60.bmp',102,1795864771870948130,'5287c7bd0cb5ac13dd2ebf5c0329af3924d7c54f41b4a1be34321f6315e043fd',NULL,1795864771870948130,2163906);
INSERT INTO "frames" VALUES(8,1,'f61.bmp','gaps/f61.bmp',102,1795864771871010854,'c8f7ece1dc4077a745f3363ab704c5eca6fa43b78af3fa8778f16a08e0166193',NULL,1795864771871010854,2163923);
INSERT INTO "frames" VALUES(8,2,'f62.bmp','gaps/f62.bmp',102,1795864771871075971,'5edfe7d22b023abdedc05d5c9ce021402636b8428e98a3a404ad4caed9f58951',NULL,1795864771871075971,2163938);
INSERT INTO "frames" VALUES(8,3,'f63.bmp','gaps/f63.bmp',102,1795864771871142270,'015dd1be645af8ae9bb2a7f10d1a2aa50e6008882035da096a7f18da3aa4d962',NULL,1795864771871142270,2163955);
INSERT INTO "frames" VALUES(8,4,'f64.bmp','gaps/f64.bmp',102,1795864771871210331,'738425ed026fd36579514e499147f1fab7b5e6ff95e9c31fdcdd42dbe29896b5',NULL,1795864771871210331,2163970);
INSERT INTO "frames" VALUES(8,5,'f65.bmp','gaps/f65.bmp',102,1795864771871277101,'408bdadb5f7c5e119d729086755fbe7aff85b5820a2bdea418036782b0c6f1c5',NULL,1795864771871277101,2163987);
INSERT INTO "frames" VALUES(8,6,'f66.bmp','gaps/f66.bmp',102,1795864771871345703,'ad3743e0ad17ad856cd1c1535f4f0d0a784733c87a4d4ae3da9d45691ea8052f',NULL,1795864771871345703,2164002);
INSERT INTO "frames" VALUES(8,7,'f67.bmp','gaps/f67.bmp',102,1795864771871416479,'409f692d62fa108d80c19c4be656ed7791c272693a921cdcc6c34e76953c0d7e',NULL,1795864771871416479,2164018);
INSERT INTO "frames" VALUES(8,8,'f68.bmp','gaps/f68.bmp',102,1795864771871485912,'e97fafb7b76523ec2095470e9c89afabd45bd0cd097e9873cf9e6e2f93dcccbe',NULL,1795864771871485912,2164036);
INSERT INTO "frames" VALUES(8,9,'f69.bmp','gaps/f69.bmp',102,1795864771871564489,'0c941daf827bcaa6ea3d62067f92178fcb53ca5152922fb08d69534d9ad4592c',NULL,1795864771871564489,2164050);
INSERT INTO "frames" VALUES(8,10,'f70.bmp','gaps/f70.bmp',102,1795864771871638079,'0ba0815db4b9f71c8074df767710516902d2b3f61aa6d615eb3ebe4f705d8b25',NULL,1795864771871638079,2164066);
INSERT INTO "frames" VALUES(8,11,'f72.bmp','gaps/f72.bmp',102,1795864771871713151,'54d81ef6eded0895d98d246485b0c1662fbeea2a3e52b4f11a34eed53beaf88e',NULL,1795864771871713151,2164082);
INSERT INTO "frames" VALUES(9,0,'f50.bmp','moved here/f50.bmp',102,1795864771870783475,'74fd1331d9ba260826ebe9e284d4f8892f67f2e61135896b297b1680aed3f3a0',NULL,1795864771870783475,2163859);
INSERT INTO "frames" VALUES(9,1,'f51.bmp','moved here/f51.bmp',102,1795864771870839749,'11e0a09d081160fb5f18f97d918ae3f3c0ca298042264916f586c3d1ab0e723b',NULL,1795864771870839749,2163874);
INSERT INTO "frames" VALUES(10,0,'c.bmp','stills/c.bmp',102,1795864771870074248,'cdff5216988e550ec9c4ad4730ef4724d11ffc41032014b5e95b81d6008a6ff1','http://127.0.0.1:9/stills/c.bmp',1795864771870074248,2163555);
INSERT INTO "frames" VALUES(11,0,'f30.bmp','top/cam1/f30.bmp',102,1795864771870389518,'242f368d86f3f5444e9cc7448cfd74ff87c382ac03be03b86dd0bdec6a40b7c3','http://127.0.0.1:9/top/cam1/f30.bmp',1795864771870389518,2163730);
INSERT INTO "frames" VALUES(11,1,'f31.bmp','top/cam1/f31.bmp',102,1795864771870438641,'98cbf39ca6fb8499ea72b1a0aa5d4289f8b6edf4440861914c03b3dc12bf4b15','http://127.0.0.1:9/top/cam1/f31.bmp',1795864771870438641,2163746);
INSERT INTO "frames" VALUES(11,2,'f32.bmp','top/cam1/f32.bmp',102,1795864771870489096,'2081bd47174e0ffc327dc80d0376633ed0fd76b63137ba10f1d9aa95e13c9f2a','http://127.0.0.1:9/top/cam1/f32.bmp',1795864771870489096,2163762);
INSERT INTO "frames" VALUES(12,0,'empty.bmp','empty.bmp',0,1795864772897670301,'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',NULL,1795864772897670301,2163826);
INSERT INTO "frames" VALUES(14,0,'f40.bmp','changed/f40.bmp',102,1795864771870578660,'e602558a9d33af484b3fef0c9f0cc88fd10fe5566f49b5e0b5d51095eea256b4',NULL,1795864771870578660,2163794);
INSERT INTO "frames" VALUES(14,1,'f41.bmp','changed/f41.bmp',102,1795864771870631208,'9821506a365a4db69859a1bda601811105d5d75f548df2c9abef8ae6dc45f016',NULL,1795864771870631208,2163810);
INSERT INTO "frames" VALUES(14,2,'f42.bmp','changed/f42.bmp',102,1795864772897670301,'5488db2c99e195424f14b4148d01a278f0365648e414cb84e049600250c79ca4',NULL,1795864772897670301,2163509);
CREATE TABLE jobs (
            id integer primary key,
            reference_id text unique,
            path text not null,
            kind text not null check (kind in ('image', 'sequence')),
            state text not null,
            reason text not null default '',
            error_code text not null default '',
            frame_count integer not null default 0,
            bytes integer not null default 0,
            digest text,
            edition text,
            tag text,
            batch_id text,
            priority_weight integer,
            job_id text,
            attempts integer not null default 0,
            next_attempt_at text,
            first_seen_at text not null,
            settled_at text,
            submitted_at text,
            completed_at text,
            updated_at text not null,
            result_path text,
            folder text not null,
            unanswered integer not null default 0,
            trying_since text,
            lookup text
        , fetches integer not null default 0, spent_for text) strict;
INSERT INTO "jobs" VALUES(1,NULL,'old.bmp','image','ignored','there before the baseline','',1,102,'945d3df42bb452a97faccd6ae94964d80763c26115c4a15f832cceea1066b586',NULL,NULL,NULL,NULL,NULL,0,NULL,'2026-11-28T11:19:31.810Z','2026-11-28T11:19:31.810Z',NULL,NULL,'2026-11-28T11:19:31.810Z',NULL,'',0,NULL,NULL,0,NULL);
INSERT INTO "jobs" VALUES(2,NULL,'archive','sequence','ignored','there before the baseline','',2,204,'4ed4cb20c332853fd8f7959f568736088f37693976a444f52194280674877e52',NULL,NULL,NULL,NULL,NULL,0,NULL,'2026-11-28T11:19:31.811Z','2026-11-28T11:19:31.811Z',NULL,NULL,'2026-11-28T11:19:31.811Z',NULL,'archive',0,NULL,NULL,0,NULL);
INSERT INTO "jobs" VALUES(3,'a.bmp~b7d9ea7ed353','a.bmp','image','completed','','',1,102,'b7d9ea7ed353afdb70d1eba9a2d95801b2519ba3683bbed279488385c0c7291b','v0','boxes',NULL,5,'e4b06ce6-0741-47a8-bce4-2c8218072e8c',1,NULL,'2026-11-28T11:19:31.889Z','2026-11-28T11:19:31.990Z','2026-11-28T11:19:32.002Z','2026-11-28T11:19:32.002Z','2026-11-28T11:19:32.002Z',NULL,'',0,'2026-11-28T11:19:31.994Z',NULL,0,NULL);
INSERT INTO "jobs" VALUES(4,'b.bmp~b79d77c38e18','b.bmp','image','submitted','','',1,102,'b79d77c38e187e38a6e92badb89f4eb8e2abc93311457ff1d9fadb938268c4df','v0','boxes',NULL,5,'1a2b8f1f-f1fd-42a2-9755-d4c13a902931',1,NULL,'2026-11-28T11:19:31.889Z','2026-11-28T11:19:31.990Z','2026-11-28T11:19:32.000Z',NULL,'2026-11-28T11:19:32.000Z',NULL,'',0,'2026-11-28T11:19:31.994Z',NULL,0,NULL);
INSERT INTO "jobs" VALUES(5,'gone.bmp~d1963a731002','gone.bmp','image','submitted','','',1,102,'d1963a731002b0d368852432baa2c6b945ec673d892f5954c0ace1c28a9e6525','v0','boxes',NULL,5,'b9d179e0-6c0f-44f5-b813-0c4237730edf',1,NULL,'2026-11-28T11:19:31.889Z','2026-11-28T11:19:31.990Z','2026-11-28T11:19:32.002Z',NULL,'2026-11-28T11:19:32.002Z',NULL,'',0,'2026-11-28T11:19:31.994Z',NULL,0,NULL);
INSERT INTO "jobs" VALUES(6,'changed~97f8183f9f85','changed','sequence','submitted','','',2,204,'97f8183f9f85ffe67cc464ff856e0bb7a7cc974f39053f389b038772a655518b','v0','boxes',NULL,5,'4be03db0-dc25-44bd-b940-67edfe175330',1,NULL,'2026-11-28T11:19:31.889Z','2026-11-28T11:19:31.992Z','2026-11-28T11:19:32.008Z',NULL,'2026-11-28T11:19:32.008Z',NULL,'changed',0,'2026-11-28T11:19:31.995Z',NULL,0,NULL);
INSERT INTO "jobs" VALUES(7,'drive~e1be9cde3b6b','drive','sequence','completed','','',4,408,'e1be9cde3b6b358f3fabdacab18ebac8bb840e314b889f08f53fa9e90b96130d','v0','boxes',NULL,5,'be6521cc-3e24-44e3-baf0-27bc08d6af57',1,NULL,'2026-11-28T11:19:31.889Z','2026-11-28T11:19:31.992Z','2026-11-28T11:19:32.009Z','2026-11-28T11:19:32.009Z','2026-11-28T11:19:32.009Z',NULL,'drive',0,'2026-11-28T11:19:31.995Z',NULL,0,NULL);
INSERT INTO "jobs" VALUES(8,'gaps~59ff83f307e1','gaps','sequence','held','frame 71 is missing (60 to 72, step 1): ''retry'' sends it as it is','gaps',12,1224,'59ff83f307e1cf693b9ee5960b0c2caa4206357f9dd08cf575896b1b1ed89f09',NULL,NULL,NULL,NULL,NULL,0,NULL,'2026-11-28T11:19:31.889Z','2026-11-28T11:19:31.993Z',NULL,NULL,'2026-11-28T11:19:31.993Z',NULL,'gaps',0,NULL,NULL,0,NULL);
INSERT INTO "jobs" VALUES(9,'moved~67d952aabbed','moved here','sequence','submitted','','',2,204,'67d952aabbedd2789c2ca66890aa3b1982f62512f8435a74d4220ccf976632ac','v0','boxes',NULL,5,'3099fdf5-ab99-454a-a901-e35cd47d380d',1,NULL,'2026-11-28T11:19:31.889Z','2026-11-28T11:19:31.993Z','2026-11-28T11:19:32.004Z',NULL,'2026-11-28T11:19:33.055Z',NULL,'moved here',0,'2026-11-28T11:19:31.995Z',NULL,0,NULL);
INSERT INTO "jobs" VALUES(10,'stills/c.bmp~cdff5216988e','stills/c.bmp','image','submitted','','',1,102,'cdff5216988e550ec9c4ad4730ef4724d11ffc41032014b5e95b81d6008a6ff1','v0','boxes',NULL,5,'a9ec0806-705f-4a16-9622-bd795fec898f',1,NULL,'2026-11-28T11:19:31.889Z','2026-11-28T11:19:31.990Z','2026-11-28T11:19:32.010Z',NULL,'2026-11-28T11:19:32.010Z',NULL,'stills',0,'2026-11-28T11:19:31.994Z',NULL,0,NULL);
INSERT INTO "jobs" VALUES(11,'top/cam1~49c8166117cc','top/cam1','sequence','submitted','','',3,306,'49c8166117ccc4e2d53bd438f8e0c2292c39e388a962c5f35dd193783f8af524','v0','boxes',NULL,5,'f3c64af7-75a8-4294-82cd-789a380208a9',1,NULL,'2026-11-28T11:19:31.889Z','2026-11-28T11:19:31.993Z','2026-11-28T11:19:32.004Z',NULL,'2026-11-28T11:19:32.004Z',NULL,'top/cam1',0,'2026-11-28T11:19:31.995Z',NULL,0,NULL);
INSERT INTO "jobs" VALUES(12,NULL,'empty.bmp','image','invalid','empty file: 0 bytes; copy it again','',1,0,'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',NULL,NULL,NULL,NULL,NULL,0,NULL,'2026-11-28T11:19:32.953Z','2026-11-28T11:19:33.053Z',NULL,NULL,'2026-11-28T11:19:33.053Z',NULL,'',0,NULL,NULL,0,NULL);
INSERT INTO "jobs" VALUES(14,'changed~3c727fcf2cac','changed','sequence','held','1 frame added after submission: f42.bmp','changed',3,306,'3c727fcf2cace3e864b07cb6f5b0442d866145e31018f5b854f53eec3db19339',NULL,NULL,NULL,NULL,NULL,0,NULL,'2026-11-28T11:19:33.055Z','2026-11-28T11:19:33.055Z',NULL,NULL,'2026-11-28T11:19:33.055Z',NULL,'changed',0,NULL,NULL,0,NULL);
CREATE TABLE seen (
            job integer primary key references jobs (id) on delete cascade,
            fingerprint blob not null
        ) strict;
INSERT INTO "seen" VALUES(2,X'4B4228132D8C4A9D0ED52BBC4FC5D390');
INSERT INTO "seen" VALUES(6,X'4BB8FF7744935E56F9715B74EC6DEC4A');
INSERT INTO "seen" VALUES(7,X'4CEB02BECF0CB72E68B8920EF4BEEB9E');
INSERT INTO "seen" VALUES(8,X'DDA0855D9AD88C4A26E72A7864C76F67');
INSERT INTO "seen" VALUES(9,X'8542537B9F853C48983831843212915F');
INSERT INTO "seen" VALUES(11,X'226668EFA88A0C5FFC0EE2B136710AE7');
INSERT INTO "seen" VALUES(14,X'07E4459E3E339E314AFE9C7E0098709B');
CREATE TABLE spend (
            day text primary key,
            jobs integer not null,
            frames integer not null
        ) strict;
CREATE INDEX jobs_folder on jobs (folder, path);
CREATE INDEX jobs_state on jobs (state, updated_at);
CREATE INDEX jobs_digest on jobs (digest) where digest is not null;
CREATE INDEX jobs_pending on jobs (next_attempt_at, id) where state = 'pending' and lookup is null;
CREATE INDEX jobs_lookup on jobs (next_attempt_at, id) where state = 'pending' and lookup is not null;
CREATE INDEX frames_inode on frames (inode);
CREATE INDEX events_job on events (job);
CREATE INDEX events_submitted on events (id) where event = 'submitted';
CREATE TRIGGER jobs_insert after insert on jobs begin
            insert into counts values (new.state, 1, new.frame_count)
                on conflict (state) do update set jobs = jobs + 1, frames = frames + new.frame_count;
        end;
CREATE TRIGGER jobs_delete after delete on jobs begin
            update counts set jobs = jobs - 1, frames = frames - old.frame_count where state = old.state;
        end;
CREATE TRIGGER jobs_update after update of state, frame_count on jobs
        when old.state is not new.state or old.frame_count is not new.frame_count begin
            update counts set jobs = jobs - 1, frames = frames - old.frame_count where state = old.state;
            insert into counts values (new.state, 1, new.frame_count)
                on conflict (state) do update set jobs = jobs + 1, frames = frames + new.frame_count;
        end;
CREATE VIEW status as
            select state, jobs, frames,
                (select min(updated_at) from jobs where jobs.state = counts.state) as oldest,
                (select max(updated_at) from jobs where jobs.state = counts.state) as newest
            from counts where jobs > 0
            order by case state
                when 'settling' then 1 when 'pending' then 2 when 'submitting' then 3 when 'submitted' then 4
                when 'completed' then 5 when 'held' then 6 when 'invalid' then 7 when 'failed' then 8
                when 'duplicate' then 9 when 'gone' then 10 else 11 end;
CREATE VIEW attention as
            select path, state, reason, error_code, attempts, updated_at from jobs
            where state in ('held', 'invalid', 'failed', 'duplicate') order by updated_at;
CREATE VIEW recent as
            select events.at, events.event, jobs.path, events.detail, jobs.state, jobs.reference_id
            from events left join jobs on jobs.id = events.job order by events.id desc limit 100;
CREATE INDEX jobs_unfetched on jobs (id) where state = 'completed' and result_path is null;
CREATE INDEX jobs_result on jobs (result_path) where result_path is not null;
COMMIT;
pragma user_version = 3;
