"""The vocabulary of invented people, organizations and things. No name here is meant to be anybody's.

People are a surname and one or two characters; organizations combine two characters that no register combines.
"""

from __future__ import annotations

import dataclasses

from models.exchange.kinds import Kind, Unit


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SURNAMES: tuple[str, ...] = (
    *"王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕",
    "欧阳",
    "上官",
)
WOMEN = "婉芷妍岚汐沅漪茹菀蓁鸢黛晗玥琬瑾璎绮纾翎蕙霁"
MEN = "屹峤岑朔桓澈炜煦珩砚祁秉竣翊聿谌铮骁鸿霖旻昶"
COINED = _listed(
    "禾萤 汀桐 砚柏 岚苇 穗川 澜榆 霁麦 芷渡 栎舟 雁禾 溪椿 苔月 枫汐 荞星 鹿榕 棠泊 麓晴 芦笙 槐序 沐黍 絮桥 萱屿 笺松 "
    "羽稔 浔梨 莳光 椴雪 荻影 苓溪 霜橡 黍禾 漪竹 桑榆里 柚庭 藜灯 萍渚 葭月 榛岭 蔓亭 楸声"
)
GROUPS = _listed("合唱队 书画社 巡防队 读书会 太极队 编织坊 茶话会 秧歌队 棋艺社 助老队 帮扶组 调解会 剪纸坊 养花社")
REGISTERED = _listed("社会工作服务中心 志愿服务协会 养老服务中心 助残服务中心 儿童关爱中心 社区营造中心")
SUPPLIERS = _listed("粮油商行 暖通工程队 印务社 文具商行 辅具商行 餐饮服务部 净水站 劳务服务部")
PLACES = _listed("党群服务中心 亲邻会客厅 睦邻书房 文化活动室 日间照料站 健身广场 多功能厅 议事厅")


@dataclasses.dataclass(frozen=True)
class Thing:
    """What is asked for, and what is offered against it."""

    category: str
    kind: Kind
    unit: Unit
    needs: tuple[str, ...]
    offers: tuple[str, ...]
    most: int
    """How much of it one need asks for, at most."""


def _thing(category: str, unit: Unit, most: int, needs: str, offers: str, kind: Kind = Kind.SERVICE) -> Thing:
    return Thing(category, kind, unit, tuple(needs.split()), tuple(offers.split()), most)


H, V, S, P = Unit.HELPER, Unit.VISIT, Unit.SESSION, Unit.PIECE
THINGS: tuple[Thing, ...] = (
    _thing("ELDERLY.ESCORT", H, 2, "独居老人需要陪诊 复查需要有人陪同 住院手续需要陪办", "陪诊小队 周三陪诊 就医陪同"),
    _thing("ELDERLY.MEALS", V, 5, "行动不便需要送餐 术后一周助餐", "邻里助餐 爱心午餐配送"),
    _thing("ELDERLY.COMPANY", V, 4, "希望有人陪聊 空巢老人陪伴 节日上门探望", "陪伴探访 老友陪聊"),
    _thing("ELDERLY.HAIRCUT", V, 2, "卧床老人上门理发 高龄老人理发", "上门理发 理发便民日"),
    _thing("ELDERLY.PHONES", H, 2, "学用智能手机挂号 学习手机缴费", "智能手机小课堂 手机一对一教学"),
    _thing("ELDERLY.ERRANDS", V, 3, "代买日用品 代取常用药", "代办跑腿 送水上楼 代购小队"),
    _thing("DISABLED.ESCORT", H, 2, "轮椅出行需要陪同 去康复站需要陪同", "助残出行 无障碍陪同"),
    _thing("DISABLED.REHAB", V, 4, "居家康复指导 康复训练陪练", "康复辅导上门"),
    _thing("CHILDCARE.AFTER_SCHOOL", H, 3, "放学后两小时托管 双职工家庭课后看护", "四点半课堂 托幼互助班"),
    _thing("CHILDCARE.HOLIDAY", H, 3, "假期白天看护 寒假托管", "假期托管班 学校放假社区开学"),
    _thing("POVERTY.MATERIALS", P, 8, "需要过冬棉被 需要米面油 需要学习用品", "爱心物资包 邻里捐物", Kind.GOODS),
    _thing("POVERTY.HEATING", Unit.HOUSEHOLD, 2, "取暖设备检修 窗户漏风封堵", "冬季保暖入户"),
    _thing("EMPLOYMENT.POSTS", Unit.POST, 3, "寻找家门口的岗位 希望介绍公益岗位", "直播带岗 家门口岗位推介", Kind.JOB),
    _thing("EMPLOYMENT.GUIDANCE", H, 2, "求职简历指导 面试辅导", "就业指导一对一"),
    _thing("HEALTH.SCREENING", S, 2, "血压血糖上门测量 社区义诊", "健康义诊 血压测量日"),
    _thing("HEALTH.LECTURES", S, 1, "希望办一次慢病讲座", "健康讲堂 慢病管理讲座"),
    _thing("HEALTH.TCM", S, 1, "希望中医进社区", "中医药大篷车 中医推拿体验"),
    _thing("HEALTH.COUNSELLING", V, 3, "睡眠不好想找人聊聊 情绪疏导", "心理疏导热线 心灵驿站"),
    _thing("EDUCATION.TUTORING", H, 2, "小学数学辅导 初中英语辅导", "大学生伴学 学业辅导"),
    _thing("EDUCATION.COURSES", S, 1, "希望开防诈骗课", "金融知识小课堂 防诈骗小课堂 送课进社区"),
    _thing("CULTURE.CRAFTS", S, 1, "希望学剪纸", "非遗剪纸体验 手工坊"),
    _thing("SAFETY.REPAIRS", V, 2, "水龙头漏水 插座松动 门锁难开", "便民维修日 水电小修"),
    _thing("MEDIATION.NEIGHBOURS", V, 2, "楼上漏水协商 噪声纠纷调解", "邻里调解室"),
    _thing("MEDIATION.LEGAL", V, 1, "遗嘱事项咨询 劳动合同咨询", "法律咨询日"),
)
"""What the marketplace trades. An offer of the same thing fits a need of it."""

LIVELIHOOD = _thing(
    "SAFETY", Unit.ITEM, 1, "楼道照明更换 单元门维修 休闲座椅加装 井盖松动处理", "民生实事认领", Kind.LIVELIHOOD_ITEM
)
RESULTS = {
    "楼道照明更换": "三个单元的楼道灯已全部更换为声控灯，试用正常。",
    "单元门维修": "单元门闭门器和门锁已更换，门禁恢复使用。",
    "休闲座椅加装": "小区广场已加装座椅，并做了防腐处理。",
    "井盖松动处理": "松动井盖已更换并加装防坠网，路面已平整。",
}
"""What was done, by what was asked."""
CASH = _thing("POVERTY.LIVING_AID", Unit.HOUSEHOLD, 1, "临时生活救助申请 大病支出救助申请", "", Kind.CASH_AID)
REFUSALS = ("不属于社区服务范围", "信息不完整，未能核实", "已由其他渠道解决")
CANCELS = ("时间有变", "身体不适", "家中有事", "已自行解决")
COMMENTS = ("很细心，谢谢", "准时，服务周到", "帮了大忙", "耐心，说得明白", "谢谢孩子们")
